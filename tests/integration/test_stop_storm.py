"""STOPs in the middle of sending: after the answer no hand-over begins, and none is under way, as the provider sees it.

The gate runs a few, against two worker processes; `make races` a thousand, against eight, on an overloaded machine.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from stage import FULL
from stage_site import Site, site, wait_for
from twilio_side import TwilioSide, api, with_twilio
from world import World

from deploy.chaos.children import Workers
from deploy.sandbox.ledger import read_ledger
from engine.clock import set_rate
from workers.supervisor import environment_of

__all__ = ["site"]

WORKERS = 8 if FULL else 2
PEOPLE = 200 if FULL else 40
WAVES = 10 if FULL else 1

#: Half of the people of each wave say STOP, so many at a time.
AT_ONCE = 10 if FULL else 5

#: Real seconds for all of it; 0: as long as it takes.
TIMEOUT = 0 if FULL else 180

MANY_STEPS = "sequence: many\nsteps:\n" + "".join(
    f"  - {{key: s{number}, type: sms, delay: 1 minute, body: 'Message {number}'}}\n" for number in range(20)
)


@contextmanager
def overloaded() -> Iterator[None]:
    """Others want the processors too, at full length."""
    with ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1) if FULL else 0):
            child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(child.wait)
            stack.callback(child.kill)
        yield


def say_stop(site: Site, twilio: TwilioSide, phone: str) -> tuple[str, float]:
    """Say STOP at some moment; give the moment of the answer. The provider has nothing under way then."""
    time.sleep(random.random() * 0.5)  # noqa: S311 (spreads the moments)
    assert twilio.inbound(phone, "STOP").status == 200
    answered = time.time()
    assert phone not in site.sandbox.client.in_flight()
    return phone, answered


def wave(site: Site, world: World, twilio: TwilioSide, people: Sequence[str]) -> dict[str, float]:
    """Enroll people, and let half of them say STOP while they are sent messages; give the moments of the answers."""
    before = sent(world)
    for phone in people:
        site.enroll("many", phone=phone)
    wait_for(lambda: sent(world) > before + len(people), "some are sent")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answered = dict(pool.map(lambda phone: say_stop(site, twilio, phone), people[::2]))
    wait_for(lambda: world.query("SELECT count(*) FROM enrollments WHERE status = 'active'") == [(0,)], "all end")
    return answered


def sent(world: World) -> int:
    ((count,),) = world.query("SELECT count(*) FROM outbox WHERE status = 'sent'")
    return int(count)


@pytest.mark.timeout(TIMEOUT)
def test_nothing_begins_or_is_under_way_after_the_answer(site: Site, world: World, tmp_path: Path) -> None:
    """The provider takes its time with half of the messages, and notes when it accepts them, at the end of that."""
    world.publish(MANY_STEPS)
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    site.sandbox.client.add_fault("sms", "latency", "request", seconds=0.15, share=0.5)
    with world.database.transaction() as session:
        set_rate(session, 600)
    answered: dict[str, float] = {}
    environment = environment_of(site.settings)
    with (
        overloaded(),
        Workers(environment, tmp_path / "workers.log", processes=WORKERS, threads=2) as workers,
        api(with_twilio(site.settings), public_id) as twilio,
    ):
        workers.wait_for_children()
        for number in range(WAVES):
            answered |= wave(site, world, twilio, [f"+1303555{number * PEOPLE + one:04}" for one in range(PEOPLE)])
    last: dict[str, float] = {}
    for entry in read_ledger(site.sandbox.ledger):
        last[entry.to or ""] = max(entry.at, last.get(entry.to or "", 0.0))
    assert {phone: last[phone] - at for phone, at in answered.items() if last.get(phone, 0.0) > at} == {}
    begun = world.query("SELECT recipient, extract(epoch FROM max(started_at))::float8 FROM attempts GROUP BY 1")
    assert [phone for phone, at in begun if at > answered.get(phone, at)] == []
    assert len(answered) == WAVES * PEOPLE / 2
    assert set(site.accepted().values()) == {1}
    assert sent(world) == len(site.accepted())
