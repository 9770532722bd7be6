"""Messages that may be opt-outs: a person sees them, and decides."""

import pytest
from world import World

from engine.errors import InvalidInput, NotFound
from engine.rules.opt_out import OptOut
from producers.doubtful import Reading, count_doubtful, doubtful_messages, read_message
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


def read(world: World, event_id: int, reading: Reading, workspace_id: int = 1) -> None:
    """A person decides."""
    with world.database.transaction() as session:
        read_message(session, workspace_id, event_id, reading)


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
