"""Status callbacks: ranked, once each, and proof for rows in doubt."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from twilio_side import TwilioSide, api, with_twilio
from world import World

from engine import clock
from engine.outbox.settle import Ending, settle
from engine.rules.token import sign
from engine.settings import Settings
from schema.states import RowStatus

SID = "SM" + "a" * 32
OTHER = "SM" + "b" * 32


@pytest.fixture
def twilio(settings: Settings, world: World) -> Iterator[TwilioSide]:
    ((public_id,),) = world.query("SELECT public_id FROM workspaces")
    with api(with_twilio(settings), public_id) as twilio:
        yield twilio


def begun(world: World) -> tuple[int, int, str]:
    """A row that was handed over: its id, its fence, and the token of the attempt."""
    world.enroll(phone="+12025550001")
    (row,) = world.begin(world.ids("step_order = 1"))
    ((secret,),) = world.query("SELECT webhook_secret FROM workspaces")
    return row.id, row.fence, sign(secret, row.id, row.fence)


def end(world: World, row_id: int, fence: int, status: RowStatus, provider_id: str | None = None) -> None:
    """Settle as a worker does."""
    outcome = "accepted" if status is RowStatus.SENT else "unanswered"
    with world.database.transaction() as session:
        settle(session, [Ending(row_id, fence, "sms", status, outcome=outcome, provider_id=provider_id)])


def first(world: World, columns: str) -> tuple[object, ...]:
    return world.rows(columns, "step_order = 1")[0]


@pytest.mark.parametrize("with_token", [True, False], ids=["by token", "by message"])
@pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "read"))))
def test_the_last_status_stays_whatever_the_order(
    twilio: TwilioSide, world: World, order: tuple[str, ...], with_token: bool
) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    for status in order:
        assert twilio.status(SID, status, token if with_token else None).status == 204
    assert first(world, "status, delivery_status") == ("sent", "read")
    assert sorted(world.query("SELECT status, outbox_id FROM events")) == sorted((status, row_id) for status in order)


def test_a_repeat_is_ignored(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    for status in ("sent", "sent", "delivered", "sent", "delivered"):
        assert twilio.status(SID, status, token).status == 204
    assert world.query("SELECT status, fence FROM events ORDER BY id") == [("sent", fence), ("delivered", fence)]
    assert first(world, "delivery_status") == ("delivered",)


def test_why_it_failed_is_kept(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    twilio.status(SID, "undelivered", token, ErrorCode="30005")
    twilio.status(SID, "sent", token)
    twilio.status(SID, "delivered", token)
    assert first(world, "status, delivery_status, error_code") == ("sent", "undelivered", "30005")
    assert world.query("SELECT error_code FROM events WHERE status = 'undelivered'") == [("30005",)]
    assert world.query("SELECT count(*) FROM suppressions") == [(0,)]


def test_many_callbacks_at_once_do_not_wait_for_each_other(
    twilio: TwilioSide, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than there are connections, each with a row to settle, which takes a look at the clock."""
    monkeypatch.setattr(clock, "REFRESH_SECONDS", 0.0)
    world.enroll(count=60)
    rows = world.begin(world.ids("step_order = 1"))
    assert len(rows) == 60
    ((secret,),) = world.query("SELECT webhook_secret FROM workspaces")
    with ThreadPoolExecutor(60) as callers:
        answers = callers.map(
            lambda row: twilio.status(f"SM{row.id:032}", "sent", sign(secret, row.id, row.fence)).status, rows
        )
        assert Counter(answers) == {204: 60}
    assert world.query("SELECT count(*) FROM outbox WHERE status = 'sent'") == [(60,)]


def test_a_callback_settles_a_row_in_doubt(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.UNKNOWN)
    assert twilio.status(SID, "delivered", token).status == 204
    assert first(world, "status, provider_id, delivery_status") == ("sent", SID, "delivered")
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", SID)]


def test_a_callback_may_come_before_the_answer(twilio: TwilioSide, world: World) -> None:
    """The worker's own word comes later, and changes nothing any more."""
    row_id, fence, token = begun(world)
    twilio.status(SID, "sent", token)
    assert first(world, "status, provider_id, delivery_status") == ("sent", SID, "sent")
    end(world, row_id, fence, RowStatus.UNKNOWN)
    assert first(world, "status, provider_id, delivery_status") == ("sent", SID, "sent")
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", SID)]


def test_a_failure_is_proof_too(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.UNKNOWN)
    twilio.status(SID, "failed", token, ErrorCode="30008")
    assert first(world, "status, delivery_status, error_code") == ("sent", "failed", "30008")


def test_another_attempt_of_the_row_does_not_speak_for_it(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    twilio.status(OTHER, "failed", token, ErrorCode="30008")
    assert first(world, "status, provider_id, delivery_status, error_code") == ("sent", SID, None, None)
    assert world.query("SELECT provider_id, outbox_id FROM events") == [(OTHER, row_id)]


def test_a_message_that_is_not_ours_is_only_noted(twilio: TwilioSide, world: World) -> None:
    begun(world)
    assert twilio.status(OTHER, "delivered").status == 204
    assert first(world, "status, delivery_status") == ("sending", None)
    assert world.query("SELECT provider_id, outbox_id FROM events") == [(OTHER, None)]


def test_a_row_of_another_workspace_is_not_touched(twilio: TwilioSide, world: World) -> None:
    row_id, fence, _ = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    ((public_id, other, secret),) = [
        *world.query("SELECT public_id, id, webhook_secret FROM workspaces WHERE key = 'other'"),
        *other_workspace(world),
    ]
    elsewhere = TwilioSide(twilio.url, public_id, twilio.public_url)
    assert elsewhere.status(SID, "delivered").status == 204
    assert elsewhere.status(SID, "read", sign(secret, row_id, fence)).status == 204
    assert first(world, "delivery_status") == (None,)
    assert world.query("SELECT DISTINCT workspace_id FROM events") == [(other,)]


def other_workspace(world: World) -> list[tuple[object, ...]]:
    with world.database.transaction() as session:
        return session.execute(
            "INSERT INTO workspaces (key, name) VALUES ('other', 'Other') RETURNING public_id, id, webhook_secret"
        ).fetchall()


def test_an_unknown_status_is_only_noted(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    twilio.status(SID, "Teleported", token)
    assert first(world, "delivery_status") == (None,)
    assert world.query("SELECT status FROM events") == [("teleported",)]


def test_what_is_kept_has_no_body(twilio: TwilioSide, world: World) -> None:
    twilio.status(SID, "sent", None, Body="Hi Ana", RawDlrDoneDate="2611210900")
    ((payload,),) = world.query("SELECT payload FROM events")
    assert payload == {
        "MessageSid": SID,
        "MessageStatus": "sent",
        "From": "+15005550006",
        "To": "+12025550001",
        "RawDlrDoneDate": "2611210900",
    }


def test_who_has_unsubscribed_at_twilio_is_suppressed(twilio: TwilioSide, world: World) -> None:
    row_id, fence, token = begun(world)
    end(world, row_id, fence, RowStatus.SENT, SID)
    twilio.status(SID, "failed", token, ErrorCode="21610")
    assert world.query("SELECT channel, address, reason FROM suppressions") == [("sms", "+12025550001", "unsubscribed")]
    assert world.statuses() == ["sent", "cancelled", "cancelled"]
    assert world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "unsubscribed")]
