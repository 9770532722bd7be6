"""`python -m deploy.bench.peer.actor LOG`: the peer's worker processes, run by dramatiq's own command line."""

import smtplib
import sys
from typing import Final

import dramatiq
from requests import RequestException
from twilio.base.exceptions import TwilioException

from deploy.bench.peer.place import Place
from deploy.bench.peer.senders import Email, Sms
from deploy.bench.peer.store import Store
from deploy.bench.peer.templates import Templates
from deploy.bench.stock_dramatiq import run_dramatiq, stock_broker

#: What its messages name.
ACTOR: Final = "deliver"


class Deliver:
    """Sends one row: claims it, renders it, hands it over, marks it."""

    def __init__(self, place: Place) -> None:
        """Prepare, for all threads of this process."""
        templates = Templates()
        self._store = Store(place.database_url, place.threads)
        self._send = {"sms": Sms(place, templates).send, "email": Email(place, templates).send}

    def __call__(self, row: int) -> None:
        """Send it, unless it is not to be sent."""
        job = self._store.claim(row)
        if job is None:
            return
        try:
            provider_id = self._send[job.channel](job)
        except (TwilioException, RequestException, smtplib.SMTPException, OSError) as error:
            self._store.mark_failed(row, f"{type(error).__name__}: {error}")
            return
        self._store.mark_sent(row, provider_id)


def main() -> None:
    """Run dramatiq's workers until SIGTERM, or until standard input closes."""
    run_dramatiq("deploy.bench.peer.actor:set_up", Place.given().threads, sys.argv[1])


def set_up() -> None:
    """Make the stock broker, and declare the actor."""
    place = Place.given()
    deliver = Deliver(place)

    def act(row: int) -> None:
        deliver(row)

    dramatiq.actor(actor_name=ACTOR, broker=stock_broker(place.redis_url))(act)


if __name__ == "__main__":
    main()
