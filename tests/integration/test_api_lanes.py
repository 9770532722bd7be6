"""Requests that are taken together: each is answered for itself, and none waits for another's trouble."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from world import World

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.outbox.settle import Ending, settle
from engine.wakeups import Wakeups
from producers.api.lane import Apart, Lane
from producers.api.transactions import Done, Transactions
from producers.delivery_reports import DeliveryReport, Told, take_report
from producers.report_group import take_reports
from producers.tenants import Tenant
from schema.states import RowStatus

PEOPLE = 9

TENANT = Tenant(1, "Default", "US", "secret")


@dataclass
class Reports:
    """A lane of delivery reports, whose groups may be disturbed."""

    world: World
    wakeups: Wakeups
    rows: list[int]
    groups: list[int] = field(default_factory=list)
    disturb: Callable[[Session], None] = lambda _session: None

    def lane(self) -> Lane[Told, None]:
        """A new lane."""
        clock = SequenceClock(self.world.database)
        alone: Callable[[Session, Told], Done[None]] = lambda session, one: Done(  # noqa: E731
            None, take_report(session, clock, *one)
        )
        return Lane("reports", Transactions(self.world.database, self.wakeups, self._together, alone), 500, 2)

    def _together(self, session: Session, told: Sequence[Told]) -> Done[Sequence[Exception | Apart | None]]:
        self.groups.append(len(told))
        taken = take_reports(session, told)
        if len(told) > 1:
            self.disturb(session)
        return Done(
            [Apart(taken.left_out[n]) if n in taken.left_out else None for n in range(len(told))], taken.wakeups
        )

    def told(self, number: int, status: str = "delivered", code: str | None = None) -> Told:
        """A report about a row."""
        report = DeliveryReport(f"SM{number}", status, code, "", (self.rows[number], 1), {})
        return Told(TENANT, report)

    def take(self, told: Sequence[Told]) -> list[Any]:
        """Take reports that come at the same moment: the first is a group of its own, the others are one."""

        async def main() -> list[Any]:
            lane = self.lane()
            answers = await asyncio.gather(*map(lane.take, told), return_exceptions=True)
            lane.close()
            return answers

        return asyncio.run(main())

    @property
    def delivered(self) -> list[bool]:
        """Whether each row is known to be delivered."""
        return [status == "delivered" for (status,) in self.world.rows("delivery_status", "step_order = 1")]


@pytest.fixture
def reports(world: World, redis_url: str) -> Iterator[Reports]:
    world.enroll(count=PEOPLE)
    rows = world.ids("step_order = 1")
    world.begin(rows)
    sent = [
        Ending(row, 1, "sms", RowStatus.SENT, outcome="accepted", provider_id=f"SM{number}")
        for number, row in enumerate(rows)
    ]
    with world.database.transaction() as session:
        settle(session, sent)
    wakeups = Wakeups(redis_url)
    yield Reports(world, wakeups, rows)
    wakeups.close()


def test_what_comes_together_is_one_transaction(reports: Reports) -> None:
    assert reports.take([reports.told(number) for number in range(PEOPLE)]) == [None] * PEOPLE
    assert reports.groups == [1, PEOPLE - 1]
    assert reports.delivered == [True] * PEOPLE


def test_one_that_postgres_refuses_fails_alone(reports: Reports) -> None:
    """Its code has a character that Postgres does not store; all others are committed."""
    told = [reports.told(number, code="3\0" if number == 5 else None) for number in range(PEOPLE)]
    answers = reports.take(told)
    assert [isinstance(answer, psycopg.DataError) for answer in answers] == [number == 5 for number in range(PEOPLE)]
    assert reports.delivered == [number != 5 for number in range(PEOPLE)]


def test_a_group_whose_connection_is_lost_is_repeated(reports: Reports) -> None:
    """Nothing of it was committed, so nothing is written twice."""

    def cut_off(session: Session) -> None:
        if reports.groups.count(PEOPLE - 1) == 1:
            session.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    reports.disturb = cut_off
    assert reports.take([reports.told(number) for number in range(PEOPLE)]) == [None] * PEOPLE
    assert reports.groups == [1, PEOPLE - 1, PEOPLE - 1]
    assert reports.delivered == [True] * PEOPLE
    assert reports.world.query("SELECT count(*) FROM events") == [(PEOPLE,)]


@pytest.mark.parametrize("state", ["deadlock_detected", "lock_not_available", "serialization_failure"])
def test_a_conflict_makes_smaller_groups(reports: Reports, state: str) -> None:
    def conflict(session: Session) -> None:
        session.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$".encode())

    reports.disturb = conflict
    assert reports.take([reports.told(number) for number in range(PEOPLE)]) == [None] * PEOPLE
    assert reports.groups == [1, 8, 4, 2, 1, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1]
    assert reports.delivered == [True] * PEOPLE


def test_nobody_waits_for_a_row_that_somebody_has_locked(reports: Reports, database_url: str) -> None:
    """A worker may be stopped while it settles it."""

    async def main(holder: Session) -> None:
        lane = reports.lane()
        holder.execute("SELECT FROM outbox WHERE id = %s FOR UPDATE", (reports.rows[3],))
        answers = [asyncio.create_task(lane.take(reports.told(number))) for number in range(PEOPLE)]
        await asyncio.gather(*answers[:3], *answers[4:])
        assert not answers[3].done()
        holder.commit()
        await answers[3]
        lane.close()

    holding = Database(database_url, name="holding")
    with holding.transaction() as holder:
        asyncio.run(main(holder))
    holding.close()
    assert reports.delivered == [True] * PEOPLE


def test_a_repeat_changes_nothing_in_whatever_group(reports: Reports) -> None:
    told = [reports.told(number) for number in range(PEOPLE)]
    reports.take(told)
    state = reports.world.rows("*")
    assert reports.take([*told, *told, *(reports.told(number, "sent") for number in range(PEOPLE))]) == [None] * 27
    assert reports.world.rows("*") == state
    assert reports.world.query("SELECT count(*) FROM events") == [(2 * PEOPLE,)]
