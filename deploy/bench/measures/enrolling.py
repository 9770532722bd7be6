"""Bulk enrollment: planned rows against COPY, and a whole file against one transaction per contact."""

import csv
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from deploy.bench.ground import CHUNK, Ground
from deploy.bench.measure import Asked, Result, by_turns
from deploy.bench.sequences import FIVE_STEPS
from producers.bulk.run import run_bulk
from producers.enroll_event import EnrollEvent, publish

COPY: Final = """
COPY outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at) FROM STDIN (FORMAT BINARY)
"""


def bulk_rows_vs_copy(ground: Ground) -> Result:
    """Enrollments with their planned rows, idempotent, against COPY of such rows into the same table."""
    ground.empty()
    stretch = ground.sequence(FIVE_STEPS)
    contacts = ground.contacts(ground.count(20_000))
    rows = len(contacts) * len(stretch.steps)

    def ours() -> float:
        _empty_rows(ground)
        started = time.perf_counter()
        ground.enroll(stretch, contacts)
        return rows / (time.perf_counter() - started)

    def theirs() -> float:
        _empty_rows(ground)
        now = datetime.now(UTC)
        prepared = [
            (1, number, step.order, step.key, step.type, "pending", now + timedelta(seconds=step.offset or 0.0))
            for number in range(len(contacts))
            for step in stretch.steps
        ]
        started = time.perf_counter()
        for first in range(0, rows, CHUNK * len(stretch.steps)):
            _copy(ground, prepared[first : first + CHUNK * len(stretch.steps)])
        return rows / (time.perf_counter() - started)

    mine, copied = by_turns(ours, theirs)
    detail = f"{mine:,.0f} rows/s against COPY's {copied:,.0f}"
    return Result("bulk_rows_vs_copy", mine / copied, "ratio", Asked(">=", 0.5), detail)


def csv_file_vs_one_transaction_per_contact(ground: Ground) -> Result:
    """A file read, checked and enrolled with its wake-ups, against an event for each contact."""
    count, single = ground.count(100_000), ground.count(500)
    path = ground.folder / "contacts.csv"
    _write_file(path, count)

    def ours() -> float:
        ground.empty()
        ground.sequence(FIVE_STEPS)
        started = time.perf_counter()
        report = run_bulk(ground.database, ground.wakeups, "default", "five", str(path))
        seconds = time.perf_counter() - started
        if report.enrolled != count:
            raise ValueError(f"enrolled {report.enrolled} of {count}")
        return count / seconds

    def theirs() -> float:
        ground.empty()
        ground.sequence(FIVE_STEPS)
        started = time.perf_counter()
        for number in range(single):
            contact = _contact(number)
            event = EnrollEvent(
                "five",
                external_id=contact["external_id"],
                email=contact["email"],
                phone=contact["phone"],
                first_name=contact["first_name"],
                last_name=contact["last_name"],
            )
            publish(ground.database, ground.wakeups, event)
        return single / (time.perf_counter() - started)

    mine, one_by_one = by_turns(ours, theirs)
    detail = f"{mine:,.0f} contacts/s against {one_by_one:,.0f}"
    return Result("csv_file_vs_one_transaction_per_contact", mine / one_by_one, "ratio", Asked(">=", 10), detail)


def _empty_rows(ground: Ground) -> None:
    with ground.database.transaction() as session:
        session.execute("TRUNCATE enrollments, outbox, attempt_records, enroll_events, tasks RESTART IDENTITY")


def _copy(ground: Ground, rows: Iterable[tuple[object, ...]]) -> None:
    with (
        ground.database.transaction() as session,
        session.cursor() as cursor,
        cursor.copy(COPY) as copy,
    ):
        copy.set_types(["int8", "int8", "int2", "text", "text", "text", "timestamptz"])
        for row in rows:
            copy.write_row(row)


def _contact(number: int) -> dict[str, str]:
    return {
        "external_id": f"lead-{number}",
        "email": f"lead.{number}@example.com",
        "phone": f"+1{2015550000 + number}",
        "first_name": "Anna",
        "last_name": "Meyer",
    }


def _write_file(path: Path, count: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_contact(0), "city"])
        writer.writerows([*_contact(number).values(), "Berlin"] for number in range(count))
