"""Ask Twilio whether it knows a message: by recipient, then by date, direction and body.

Listing filters by To, From and DateSent only, and a queued message has no DateSent; so all to the recipient are
read, newest first, down to the start of the attempt (twilio.com/docs/messaging/api/message-resource).
"""

from datetime import datetime, timedelta
from typing import Final

from twilio.base.exceptions import TwilioException
from twilio.rest.api.v2010.account.message import MessageList
from urllib3.exceptions import HTTPError

from engine.clock import WRONG_CLOCK
from engine.rules.answers import masked
from engine.rules.delivery_status import NOT_DELIVERED
from engine.rules.doubt import Seen, Sighting, comparable
from workers.channels.channel import LookUpFailed, Sms
from workers.channels.sms.asking import AskingHttp

#: How much earlier than ours Twilio's clock may say that the message was made, once the two have been compared: so far
#: apart may this machine's clock and the database's be (engine/clock.py), and it tells whole seconds.
CLOCKS_APART: Final = timedelta(seconds=WRONG_CLOCK + 5)

#: Twilio's largest page, and the most messages that are read for one look-up.
PAGE, MOST = 1_000, 5_000

#: HTTP statuses after which asking again makes no sense.
FOR_GOOD: Final = (400, 403, 404)


def look_up(messages: MessageList, http: AskingHttp, sms: Sms, since: datetime) -> Sighting:
    """What Twilio knows of a message that was handed over at `since` (UTC) or later.

    Raises:
        LookUpFailed: it can't be asked, now or at all.
    """
    same: list[str] = []
    others: list[Seen] = []
    error_codes: dict[str, str] = {}
    text = comparable(sms.body)
    try:
        for message in messages.stream(to=sms.to, page_size=PAGE, limit=MOST):
            if message.date_created is None or message.sid is None or str(message.direction) != "outbound-api":
                continue
            made_at = message.date_created - http.ahead
            if made_at < since - CLOCKS_APART:
                break
            body = message.body or ""
            if comparable(body) == text:
                same.append(message.sid)
                if str(message.status) in NOT_DELIVERED and message.error_code is not None:
                    error_codes[message.sid] = str(message.error_code)
            else:
                others.append(Seen(message.sid, body, made_at))
    except (TwilioException, HTTPError, OSError, ValueError) as error:
        says = f"answer {http.status}" if http.status else f"no answer: {type(error).__name__}"
        raise LookUpFailed(masked(says), for_good=http.status in FOR_GOOD) from None
    return Sighting(tuple(same), tuple(others), error_codes)
