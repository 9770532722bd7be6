"""The answer to a STOP waits until nothing is in flight to its number."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import structlog
from stage_site import GENEROUS, wait_for
from twilio_side import Answer, TwilioSide, api, with_twilio
from world import World

from engine.database import Database
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.settle import Ending, settle
from engine.settings import Settings
from producers.api import in_flight
from schema.states import RowStatus

ANA = "+12025550101"
BEN = "+12025550102"


@pytest.fixture
def twilio(settings: Settings, world: World) -> Iterator[TwilioSide]:
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    with api(with_twilio(settings), public_id) as twilio:
        yield twilio


def handed_over(world: World, phone: str = ANA, workspace_id: int = 1) -> Claimed:
    """A row that a worker has handed over."""
    world.enroll(phone=phone)
    world.execute("UPDATE outbox SET workspace_id = %s WHERE workspace_id = 1", workspace_id)
    (row,) = world.begin(world.ids("step_order = 1 AND status = 'pending'"))
    return row


def end(world: World, row: Claimed) -> None:
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM9")])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The looks at what is in flight: for how many each was."""
    looks: list[int] = []
    look = in_flight.InFlight._look

    def counted(self: in_flight.InFlight, waiting: list[in_flight._Waiting]) -> None:
        look(self, waiting)
        looks.append(len(waiting))

    monkeypatch.setattr(in_flight.InFlight, "_look", counted)
    return looks


def until_looked_again(looks: list[int]) -> None:
    """Wait for a look that began after this."""
    so_far = len(looks)
    wait_for(lambda: len(looks) >= so_far + 2, "it is looked again")


@contextmanager
def answer_of(twilio: TwilioSide, sender: str, sid: str = "SM1", body: str = "STOP") -> Iterator[list[Answer]]:
    """The answer to a STOP, as soon as there is one; at the end there is one."""
    answers: list[Answer] = []
    thread = Thread(target=lambda: answers.append(twilio.inbound(sender, body, sid=sid)))
    thread.start()
    yield answers
    thread.join(GENEROUS)
    assert [answer.status for answer in answers] == [200]


def until_stored(world: World, twilio: TwilioSide, phone: str = ANA) -> None:
    """Wait until the opt-out is committed, and so long that it could have been answered: a later one has been."""
    wait_for(
        lambda: world.query("SELECT count(*) FROM suppressions WHERE address = %s", phone) == [(1,)], "it is stored"
    )
    assert twilio.inbound("+12025559999", "STOP").status == 200


def test_it_waits_for_what_was_handed_over(twilio: TwilioSide, world: World) -> None:
    row = handed_over(world)
    with answer_of(twilio, ANA) as answers:
        until_stored(world, twilio)
        assert answers == []
        end(world, row)
    assert world.statuses() == ["sent", "cancelled", "cancelled"]


def test_a_repeat_waits_too(twilio: TwilioSide, world: World, looks: list[int]) -> None:
    row = handed_over(world)
    with answer_of(twilio, ANA) as first, answer_of(twilio, ANA) as second:
        until_stored(world, twilio)
        wait_for(lambda: looks[-1:] == [2], "both wait")
        assert (first, second) == ([], [])
        end(world, row)


def test_the_number_counts_to_which_it_was_handed_over(twilio: TwilioSide, world: World) -> None:
    """The contact has another number by now, whose owner has nobody to wait for."""
    row = handed_over(world)
    world.execute("UPDATE contacts SET phone = %s", BEN)
    with answer_of(twilio, ANA) as answers:
        until_stored(world, twilio)
        assert twilio.inbound(BEN, "STOP").status == 200
        assert answers == []
        end(world, row)


def test_what_another_workspace_sends_to_the_number_is_not_waited_for(twilio: TwilioSide, world: World) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = world.query("SELECT id FROM workspaces WHERE key = 'other'")
    handed_over(world)
    for table in ("attempt_records", "outbox"):
        world.execute(f"UPDATE {table} SET workspace_id = %s", other)
    assert twilio.inbound(ANA, "STOP").status == 200
    assert world.statuses()[0] == "sending"


def test_an_email_that_is_under_way_is_not_waited_for(twilio: TwilioSide, world: World) -> None:
    world.publish("sequence: mail\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]")
    world.enroll("mail", phone=ANA)
    world.begin(world.ids())
    assert twilio.inbound(ANA, "STOP").status == 200
    assert world.statuses() == ["sending"]


def test_a_claim_that_may_not_have_seen_it_is_waited_for(
    twilio: TwilioSide, world: World, database_url: str, looks: list[int]
) -> None:
    """It has read the number that the contact had then, so the STOP does not meet it at the contact's rows."""
    world.enroll(phone=ANA)
    worker = Database(database_url, name="cadenza worker")
    with worker.transaction() as session:
        (row,) = claim(session, world.ids("step_order = 1"))
        world.execute("UPDATE contacts SET phone = %s", BEN)
        with answer_of(twilio, ANA) as answers:
            wait_for(lambda: world.query("SELECT count(*) FROM suppressions") == [(1,)], "it is stored")
            until_looked_again(looks)
            assert answers == []
            begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
            session.commit()
            until_looked_again(looks)
            assert answers == []
            end(world, row)
    worker.close()


def test_it_does_not_wait_for_ever(twilio: TwilioSide, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may be stopped; when it goes on it looks again before it hands over (workers/delivery/hand_over.py)."""
    monkeypatch.setattr("producers.api.webhooks.LONGEST", 0.3)
    row = handed_over(world)
    with structlog.testing.capture_logs() as logs:
        assert twilio.inbound(ANA, "STOP").status == 200
    assert [entry.get("rows") for entry in logs if entry["log_level"] == "warning"] == [[row.id]]
    assert world.statuses()[0] == "sending"


def test_nobody_asks_while_nobody_waits(twilio: TwilioSide, world: World, looks: list[int]) -> None:
    assert twilio.inbound(ANA, "Hello").status == 200
    assert twilio.inbound(ANA, "START").status == 200
    assert looks == []
    assert twilio.inbound(ANA, "STOP").status == 200
    assert looks == [1]


def test_the_answer_to_what_may_be_an_opt_out_waits_too(
    twilio: TwilioSide, world: World, database_url: str, looks: list[int]
) -> None:
    """The hold changes no row of the outbox, so it meets no claim that has not seen it."""
    world.enroll(phone=ANA)
    worker = Database(database_url, name="cadenza worker")
    with worker.transaction() as session:
        (row,) = claim(session, world.ids("step_order = 1"))
        with answer_of(twilio, ANA, body="stop it") as answers:
            wait_for(lambda: world.query("SELECT count(*) FROM contact_holds") == [(1,)], "it is stored")
            until_looked_again(looks)
            assert answers == []
            begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
            session.commit()
            until_looked_again(looks)
            assert answers == []
            end(world, row)
    worker.close()


def test_it_does_not_wait_where_the_workspace_goes_on_in_doubt(
    twilio: TwilioSide, world: World, looks: list[int]
) -> None:
    world.execute("UPDATE workspaces SET doubtful = 'go-on'")
    handed_over(world)
    assert twilio.inbound(ANA, "stop it").status == 200
    assert looks == []
