"""Messages that may be opt-outs: a person sees them, and decides."""

import pytest
from world import World

from engine.errors import InvalidInput, NotFound
from engine.outbox.claim import claim, left_alone
from engine.outbox.contact_holds import count_doubtful
from engine.outbox.counts import oldest_due
from engine.outbox.last_look import still_good
from engine.rules.opt_out import OptOut
from engine.wakeups import Due
from producers.doubtful import Reading, doubtful_messages, read_message
from producers.explaining import explain_enrollment
from producers.inbound import InboundMessage, receive
from producers.tenants import Tenant

ANA = "+12025550101"


def write_to_us(world: World, body: str, sid: str = "SM1", sender: str = ANA) -> OptOut:
    """A message comes in."""
    with world.database.transaction() as session:
        payload = {"From": sender, "Body": body}
        return receive(
            session, Tenant(1, "Default", "US", "secret"), InboundMessage(sid, sender, body, None, payload)
        ).says


def read(world: World, event_id: int, reading: Reading, workspace_id: int = 1) -> list[Due]:
    """A person decides."""
    with world.database.transaction() as session:
        return read_message(session, workspace_id, event_id, reading)


def waiting(world: World, workspace_id: int | None = None) -> list[tuple[int, str]]:
    with world.database.transaction() as session:
        found = [(message.id, message.body) for message in doubtful_messages(session, workspace_id)]
        assert count_doubtful(session, workspace_id) == len(found)
    return found


def suppressions(world: World) -> list[tuple[str, str]]:
    return world.query("SELECT address, reason FROM suppressions")


def test_what_is_doubtful_waits_for_a_person(world: World) -> None:
    for number, body in enumerate(["Hello", "stop it", "STOP", "enough"]):
        write_to_us(world, body, f"SM{number}")
    assert [body for _, body in waiting(world)] == ["stop it", "enough"]
    assert waiting(world, 1) == waiting(world)
    assert waiting(world, 2) == []


def test_what_was_an_opt_out_is_done(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it")
    ((event_id, _),) = waiting(world)
    read(world, event_id, Reading.STOP)
    assert suppressions(world) == [(ANA, "stop")]
    assert world.statuses() == ["cancelled"] * 3
    assert waiting(world) == []
    assert world.query("SELECT status FROM events") == [("stop",)]
    assert write_to_us(world, "start", "SM2") is OptOut.START
    assert suppressions(world) == []


def test_what_was_none_is_a_reply(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it")
    ((event_id, _),) = waiting(world)
    read(world, event_id, Reading.IGNORE)
    assert suppressions(world) == []
    assert world.statuses() == ["pending"] * 3
    assert world.query("SELECT status FROM events") == [("reply",)]


@pytest.mark.parametrize("reading", Reading)
def test_a_decision_is_made_once_and_in_its_workspace(world: World, reading: Reading) -> None:
    write_to_us(world, "stop it")
    write_to_us(world, "Hello", "SM2")
    (doubtful, _), hello = waiting(world)[0], world.query("SELECT max(id) FROM events")[0][0]
    with pytest.raises(NotFound):
        read(world, doubtful, reading, workspace_id=2)
    with pytest.raises(InvalidInput, match="'reply': it needs no decision"):
        read(world, hello, reading)
    read(world, doubtful, reading)
    with pytest.raises(InvalidInput, match="needs no decision"):
        read(world, doubtful, reading)
    with pytest.raises(NotFound):
        read(world, 4_711, reading)


def test_a_repeat_of_a_message_that_was_decided_changes_nothing(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it")
    read(world, waiting(world)[0][0], Reading.IGNORE)
    write_to_us(world, "stop it")
    assert waiting(world) == []
    assert world.query("SELECT status FROM events") == [("reply",)]


def claimed(world: World, ids: list[int]) -> list[int]:
    with world.database.transaction() as session:
        return [row.id for row in claim(session, ids)]


def test_a_contact_in_doubt_gets_nothing_on_that_channel_until_an_operator_decides(world: World) -> None:
    world.enroll(phone=ANA)
    world.enroll()
    world.execute("UPDATE outbox SET due_at = sequence_now() - interval '1 hour', status = 'pending'")
    world.execute("UPDATE outbox SET status = 'skipped', reason = 'x' WHERE step_order = 2")
    ana_sms, ana_mail, ben_sms = world.ids("step_order <> 2")[:3]
    (row,) = world.begin([ana_sms])
    write_to_us(world, "stop it")
    with world.database.transaction() as session:
        assert still_good(session, [(row.id, row.fence)]) == set()
    world.execute("UPDATE outbox SET status = 'pending', lease_until = NULL WHERE status = 'sending'")
    assert claimed(world, [ana_sms, ben_sms]) == [ben_sms]
    with world.database.transaction() as session:
        assert [one.may_go for one in left_alone(session, [ana_sms])] == [False]
        first = oldest_due(session, 1)
        assert first is not None
    says = explain_enrollment(world.database, "default", 1).next["says"]
    assert (
        says
        == "first: waits until an operator decides whether a message of the contact is an opt-out: `cadenza review`"
    )
    world.execute("UPDATE outbox SET status = 'skipped', reason = 'x' WHERE id = %s", ana_sms)
    assert claimed(world, [ana_mail]) == [ana_mail]
    world.execute("UPDATE outbox SET status = 'pending', reason = NULL WHERE id = %s", ana_sms)
    ((event_id, _),) = waiting(world)
    woken = read(world, event_id, Reading.IGNORE)
    assert ana_sms in [row_id for _, ids in woken for row_id in ids]
    assert claimed(world, [ana_sms]) == [ana_sms]


def test_each_message_in_doubt_holds_by_itself(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it", "SM1")
    write_to_us(world, "enough", "SM2")
    first, second = (event_id for event_id, _ in waiting(world))
    read(world, first, Reading.IGNORE)
    assert claimed(world, world.ids("step_order = 1")) == []
    read(world, second, Reading.IGNORE)
    assert claimed(world, world.ids("step_order = 1")) != []


def test_a_start_ends_the_hold(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it", "SM1")
    write_to_us(world, "START", "SM2")
    assert claimed(world, world.ids("step_order = 1")) != []


def test_a_workspace_may_go_on(world: World) -> None:
    world.enroll(phone=ANA)
    tenant = Tenant(1, "Default", "US", "secret", doubtful="go-on")
    with world.database.transaction() as session:
        receive(session, tenant, InboundMessage("SM1", ANA, "stop it", None, {"From": ANA, "Body": "stop it"}))
    assert len(waiting(world)) == 1
    assert claimed(world, world.ids("step_order = 1")) != []


@pytest.mark.parametrize("body", ["Raus", "RAUS!", "bitte raus", "r\u00e4us, danke", "Nie wieder"])
def test_a_workspace_has_words_of_its_own(world: World, body: str) -> None:
    world.enroll(phone=ANA)
    tenant = Tenant(1, "Default", "DE", "secret", opt_out_words=("raus", "nie wieder"))
    with world.database.transaction() as session:
        found = receive(session, tenant, InboundMessage("SM1", ANA, body, None, {}))
    assert found.says is OptOut.STOP
    with world.database.transaction() as session:
        other = receive(session, Tenant(1, "Default", "DE", "secret"), InboundMessage("SM2", ANA, body, None, {}))
    assert other.says is not OptOut.STOP


def test_the_person_who_wrote_opts_out_whatever_their_number_is_by_then(world: World) -> None:
    """The hold is one of the person; the decision that ends it bars the person and the number that it came from."""
    world.enroll(phone=ANA)
    write_to_us(world, "stop it")
    world.execute("UPDATE contacts SET phone = '+12025550199'")
    ((event_id, _),) = waiting(world)
    read(world, event_id, Reading.STOP)
    assert suppressions(world) == [(ANA, "stop")]
    assert world.query("SELECT channel, reason FROM contact_opt_outs") == [("sms", "stop")]
    assert world.statuses() == ["cancelled"] * 3


def test_the_person_who_has_the_number_by_then_is_not_the_one_who_wrote(world: World) -> None:
    world.enroll(phone=ANA)
    write_to_us(world, "stop it")
    world.execute("UPDATE contacts SET phone = '+12025550199'")
    world.enroll(phone=ANA, email="ben@example.com")
    ((event_id, _),) = waiting(world)
    read(world, event_id, Reading.STOP)
    assert world.query("SELECT contact_id FROM contact_opt_outs") == [(1,)]
    assert world.query("SELECT contact_id, status FROM enrollments ORDER BY 1") == [(1, "cancelled"), (2, "active")]
    (row,) = world.claim(world.ids("step_order = 1 AND enrollment_id = 2"))
    assert row.suppressed == "stop"
