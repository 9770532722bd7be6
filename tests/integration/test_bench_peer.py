"""The peer of the benchmark does the whole job: each message once, rendered as ours, and again after a refusal."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.bench.children import BrokenChild
from deploy.bench.delivering import check_ledger, deliver
from deploy.bench.ground import Ground
from deploy.bench.peer.side import Channel, deliver_as_peer, peer_on
from deploy.bench.peer.store import Store
from deploy.bench.sequences import ONE_EMAIL, ONE_SMS
from deploy.sandbox.ledger import Entry, read_ledger
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import SandboxProcess, start_sandbox
from engine.clock import SequenceClock
from engine.database import Database
from engine.redis_connection import open_redis
from engine.settings import Settings
from engine.wakeups import Wakeups

LATER = "SELECT status, count(*) FROM peer.outbox GROUP BY status"


@pytest.fixture
def ground(settings: Settings, database: Database, redis_url: str, tmp_path: Path) -> Iterator[Ground]:
    """A ground on the servers of the tests."""
    wakeups = Wakeups(redis_url)
    with open_redis(redis_url) as client:
        yield Ground(settings, database, wakeups, client, SequenceClock(database), tmp_path, True, "embedded")
    wakeups.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox of the test's own."""
    with start_sandbox(SandboxOptions(data_dir=tmp_path / "providers")) as process:
        yield process


def texts(ground: Ground, channel: Channel) -> dict[str | None, tuple[str | None, ...]]:
    """What each recipient got, apart from what names the message itself."""
    entries = read_ledger(ground.folder / "sandbox" / "sandbox.ledger.ndjson")
    if channel == "sms":
        return {entry.to: (entry.body,) for entry in entries}
    return {entry.to: (entry.subject, entry.content("plain"), entry.content("html")) for entry in entries}


@pytest.mark.parametrize(("channel", "sequence"), [("sms", ONE_SMS), ("email", ONE_EMAIL)])
def test_the_peer_sends_to_everybody_what_we_send(ground: Ground, channel: Channel, sequence: str) -> None:
    ours = deliver(ground, sequence, 400, warm_up=10)  # more than are in flight, and so than are settled at once
    ours_sent = stripped(texts(ground, channel))
    theirs = deliver_as_peer(ground, channel, 40, threads=2, warm_up=10)
    theirs_sent = stripped(texts(ground, channel))
    assert theirs_sent == {to: ours_sent[to] for to in theirs_sent}
    assert (len(ours_sent), len(theirs_sent)) == (410, 50)
    assert {"workers", "postgres", "redis", "sandbox", "per_second"} == set(ours.figures()) == set(theirs.figures())
    assert all(figure > 0 for figure in (ours.per_second, theirs.per_second, ours.cpu["workers"]))


def stripped(sent: dict[str | None, tuple[str | None, ...]]) -> dict[str | None, tuple[str, ...]]:
    """Without the line break that the library ends a part with."""
    return {to: tuple((part or "").strip() for part in parts) for to, parts in sent.items()}


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_the_peer_tries_again_what_was_refused_for_now(
    ground: Ground, sandbox: SandboxProcess, channel: Channel
) -> None:
    refusal = {"status": 503} if channel == "sms" else {"code": 451}
    sandbox.client.add_fault(channel, "reply", times=1, **refusal)
    contacts = ground.contacts(3)
    with peer_on(ground, sandbox.sandbox, channel, threads=2) as peer:
        rows = peer.fill(contacts)
        peer.schedule(rows, time.time())
        peer.wait_until_ended()
        assert len(peer.sent(rows)) == 3
    events = Counter(entry.event for entry in sandbox.client.entries())
    assert events == {"accepted": 3, "refused": 1}


def test_the_peer_sends_nothing_to_the_suppressed_and_completes_what_has_ended(
    ground: Ground, sandbox: SandboxProcess
) -> None:
    contacts = ground.contacts(2)
    with peer_on(ground, sandbox.sandbox, "sms", threads=2) as peer:
        rows = peer.fill(contacts)
        with ground.database.transaction() as session:
            session.execute(
                "INSERT INTO peer.suppressions SELECT 'sms', phone FROM contacts WHERE id = %s", (contacts[0],)
            )
        peer.schedule(rows, time.time())
        peer.wait_until_ended()
    with ground.database.transaction() as session:
        assert dict(session.execute(LATER).fetchall()) == {"pending": 1, "sent": 1}
        enrollments = session.execute("SELECT contact_id, status FROM peer.enrollments").fetchall()
    assert dict(enrollments) == {contacts[0]: "active", contacts[1]: "completed"}


def test_a_row_is_claimed_once(ground: Ground, sandbox: SandboxProcess, database_url: str) -> None:
    with peer_on(ground, sandbox.sandbox, "sms", threads=2) as peer:
        (row,) = peer.fill(ground.contacts(1))
    store = Store(database_url, 1)
    first, second = store.claim(row), store.claim(row)
    store.close()
    assert first is not None and first.row == row
    assert second is None


def test_messages_that_are_told_many_at_a_time_are_those_that_dramatiq_tells(
    ground: Ground, sandbox: SandboxProcess
) -> None:
    moment = time.time() + 3600
    with peer_on(ground, sandbox.sandbox, "sms", threads=2) as peer:
        peer.schedule_far(1, moment)
        peer.schedule([-1], moment)
        kept = [json.loads(message) for message in ground.redis.hvals("dramatiq:default.DQ.msgs")]
    many, one = (
        {name: value for name, value in message.items() if name not in ("message_id", "message_timestamp", "options")}
        for message in kept
    )
    assert many == one
    assert kept[0]["options"].keys() == kept[1]["options"].keys()
    assert abs(kept[0]["options"]["eta"] - kept[1]["options"]["eta"]) < 60_000


def test_the_ledger_tells_who_got_nothing_and_who_got_two(ground: Ground, sandbox: SandboxProcess) -> None:
    del ground
    expected = [("+12025550101", "a@example.com"), ("+12025550102", "b@example.com")]
    ledger = sandbox.sandbox.ledger

    def write(*to: str) -> None:
        ledger.write_bytes(b"".join(Entry(at=1.0, channel="sms", event="accepted", to=one).to_line() for one in to))

    write("+12025550101", "b@example.com")
    assert check_ledger(sandbox.sandbox, expected) == 0
    write("+12025550101", "b@example.com", "b@example.com")
    assert check_ledger(sandbox.sandbox, expected) == 1
    for wrong in (["+12025550101"], ["+12025550101", "b@example.com", "+12025550199"]):
        write(*wrong)
        with pytest.raises(BrokenChild):
            check_ledger(sandbox.sandbox, expected)
