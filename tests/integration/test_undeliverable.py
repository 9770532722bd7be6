"""Numbers that SMS can't be delivered to are suppressed, and allowed again when a message reaches them."""

from itertools import count

import pytest
from world import World

from engine.clock import SequenceClock
from engine.outbox.claim import claim
from engine.outbox.settle import Ending, settle
from producers.delivery_reports import DeliveryReport, Told, take_report
from producers.inbound import InboundMessage, receive
from producers.operator import Operator
from producers.report_group import take_reports
from producers.suppression_list import add
from producers.suppressions import suppress
from producers.tenants import Tenant
from schema.states import RowStatus

ANA, BEN = "+12025550101", "+12025550102"
TENANT = Tenant(1, "Default", "US", "secret")
OPERATOR = Operator("default", "ann", "asked by phone")


def report(world: World, *told: tuple[str, str | None, str]) -> None:
    """Take reports of new messages, each a status, an error code and a number, as the API does."""
    numbers = count(world.query("SELECT count(*) FROM events")[0][0])
    reports = [DeliveryReport(f"SM{next(numbers)}", status, code, to, None, {}) for status, code, to in told]
    with world.database.transaction() as session:
        left_out = take_reports(session, [Told(TENANT, one) for one in reports]).left_out
        for number in left_out:
            take_report(session, SequenceClock(world.database), TENANT, reports[number])


def barred(world: World) -> list[tuple[str, str, str | None]]:
    return world.query("SELECT address, reason, note FROM suppressions ORDER BY address")


@pytest.mark.parametrize("code", ["21614", "30005", "30006"])
def test_a_number_that_can_get_no_sms_is_suppressed_at_once(world: World, code: str) -> None:
    report(world, ("undelivered", code, ANA), ("delivered", None, BEN))
    assert barred(world) == [(ANA, "undeliverable", code)]
    world.enroll(phone=ANA)
    with world.database.transaction() as session:
        (row,) = claim(session, world.ids("step_order = 1"))
        assert row.suppressed == "undeliverable"
    assert world.query("SELECT count(*) FROM contact_opt_outs") == [(0,)]


def test_a_number_that_is_refused_at_once_is_suppressed(world: World) -> None:
    world.enroll(phone=ANA)
    (row,) = world.begin(world.ids("step_order = 1"))
    ending = Ending(
        row.id,
        row.fence,
        "sms",
        RowStatus.FAILED,
        "no",
        outcome="refused",
        error_code="21614",
        suppress="undeliverable",
    )
    with world.database.transaction() as session:
        settle(session, [ending])
    assert barred(world) == [(ANA, "undeliverable", "21614")]
    assert world.query("SELECT status FROM enrollments") == [("active",)]


def test_a_number_that_is_out_of_reach_is_suppressed_after_three_in_a_row(world: World) -> None:
    away = ("undelivered", "30003", ANA)
    report(world, away, away)
    report(world, ("delivered", None, BEN))
    assert barred(world) == []
    report(world, ("delivered", None, ANA))
    report(world, away)
    report(world, away)
    assert barred(world) == []
    report(world, away)
    assert barred(world) == [(ANA, "undeliverable", "30003, 3 times in a row")]


@pytest.mark.parametrize(("status", "code"), [("undelivered", "30007"), ("failed", "30008"), ("sent", "30003")])
def test_what_is_not_the_fault_of_the_number_suppresses_nobody(world: World, status: str, code: str) -> None:
    for _ in range(5):
        report(world, (status, code, ANA))
    assert barred(world) == []


def test_the_same_report_again_counts_once(world: World) -> None:
    told = DeliveryReport("SM1", "undelivered", "30003", ANA, None, {})
    for _ in range(5):
        with world.database.transaction() as session:
            take_report(session, SequenceClock(world.database), TENANT, told)
    assert barred(world) == []
    assert world.query("SELECT in_a_row FROM undelivered") == [(1,)]


@pytest.mark.parametrize("how", ["delivered", "delivered in a group", "a message from it"])
def test_it_is_allowed_again_when_it_is_reached(world: World, how: str) -> None:
    world.execute(
        "INSERT INTO suppressions (workspace_id, channel, address, reason) VALUES (1, 'sms', %s, 'stop')", BEN
    )
    report(world, ("failed", "30005", ANA))
    assert [address for address, *_ in barred(world)] == [ANA, BEN]
    if how == "a message from it":
        with world.database.transaction() as session:
            receive(session, TENANT, InboundMessage("SMx", ANA, "Hello", None, {}))
    else:
        report(world, *[("delivered", None, ANA), ("delivered", None, BEN)][: 1 + (how != "delivered")])
    assert barred(world) == [(BEN, "stop", None)]


@pytest.mark.parametrize("reason", ["stop", "unsubscribed", "complained", "operator"])
def test_a_delivered_message_lifts_no_reason_that_came_after_the_number_was_dead(world: World, reason: str) -> None:
    report(world, ("failed", "30005", ANA))
    with world.database.transaction() as session:
        if reason == "operator":
            add(session, OPERATOR, "sms", ANA)
        else:
            suppress(session, 1, "sms", ANA, reason)
    report(world, ("delivered", None, ANA))
    assert [(address, why) for address, why, _ in barred(world)] == [(ANA, reason)]


@pytest.mark.parametrize("later", ["operator", "complained", "imported"])
def test_what_an_operator_bars_after_a_stop_is_not_taken_back_by_a_start(world: World, later: str) -> None:
    with world.database.transaction() as session:
        receive(session, TENANT, InboundMessage("SM1", ANA, "STOP", None, {}))
        assert suppress(session, 1, "sms", ANA, later)
        assert not suppress(session, 1, "sms", ANA, "stop")
        assert not suppress(session, 1, "sms", ANA, "undeliverable", "30005")
        receive(session, TENANT, InboundMessage("SM2", ANA, "START", None, {}))
    assert [(address, why) for address, why, _ in barred(world)] == [(ANA, later)]


def test_a_refusal_for_a_stop_is_stronger_than_a_dead_number(world: World) -> None:
    """Twilio refuses two messages to one number at the same moment, each for another reason."""
    world.enroll(phone=ANA)
    world.enroll(phone=BEN)
    rows = world.begin(world.ids("step_order = 1"))
    world.execute("UPDATE attempt_records SET recipient = %s", ANA)
    codes = [("21614", "undeliverable"), ("21610", "unsubscribed")]
    endings = [
        Ending(row.id, row.fence, "sms", RowStatus.FAILED, "no", outcome="refused", error_code=code, suppress=why)
        for row, (code, why) in zip(rows, codes, strict=True)
    ]
    with world.database.transaction() as session:
        settle(session, endings)
    assert barred(world) == [(ANA, "unsubscribed", "21610")]
