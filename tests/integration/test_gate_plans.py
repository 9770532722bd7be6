"""What is asked when a gate ends, and when something is heard, finds its rows by an index, however many there are."""

from typing import Any

import pytest

from engine.outbox import actions, advance, decide, facts, gates, goals, leave, tasks, timing, variants
from producers import enroll_event, signals

ENROLLMENT = {"enrollment": 1}
ENROLLMENTS = {"enrollments": [1]}
CHANGES: dict[str, Any] = {
    **ENROLLMENT,
    "orders": [1],
    "was": ["waiting"],
    "statuses": ["pending"],
    "due": [0.0],
    "reasons": [None],
    "restored": "",
}
VARIANTS: dict[str, Any] = {"workspace": 1, "step": "a", "version": 1}
END: dict[str, Any] = {
    "row": 1,
    "fence": 1,
    "was": ["open"],
    "status": "done",
    "reason": None,
    "outcome": None,
    "counts_from": 1.0,
}

QUERIES: list[tuple[str, dict[str, Any]]] = [
    (advance.HOLD, ENROLLMENT),
    (advance.ROWS, ENROLLMENT),
    (advance.CHANGE, CHANGES),
    (advance.COMPLETE, ENROLLMENT),
    (advance.END, END),
    (timing.ENROLLMENT, ENROLLMENT),
    (decide.HOLD_CONTACTS, {"contacts": [1]}),
    (decide.HOLD_ALL, {"contacts": [1]}),
    (decide.AWAITED, {"contacts": [1], "new": [1]}),
    (decide.WATCHING, {"enrollments": [1]}),
    (decide.WATCHED, {"row": 1}),
    (decide.WAIT, {"row": 1, "until": 0.0, "reason": ""}),
    (facts.STEPS, ENROLLMENTS),
    (facts.CONTACTS, ENROLLMENTS),
    (facts.SIGNALS, ENROLLMENTS),
    (goals.ASKED, ENROLLMENTS),
    (leave.HOLD_ROWS, ENROLLMENTS),
    (leave.END, {**ENROLLMENTS, "reason": "goal"}),
    (goals.HOLD, ENROLLMENTS),
    (goals.HOLD_CONTACTS, ENROLLMENTS),
    (goals.KEEP, {"contacts": [1]}),
    (enroll_event.TELL, {"channel": "c", "rows": [1]}),
    (gates.POSTPONE, {"row": 1, "fence": 1, "seconds": 1.0}),
    (gates.TRIED, {"row": 1}),
    (variants.COUNTS, {**VARIANTS, "messages": ["a"]}),
    (variants.EXITS, VARIANTS),
    (tasks.OPEN, {"outbox_id": 1}),
    (actions.CHAIN, ENROLLMENT),
    (actions.IN_SEQUENCE, {"contact": 1, "workspace": 1, "key": "a"}),
    (actions.TARGET, {"workspace": 1, "key": "a"}),
    *((query, {"workspace": 1, "message": "SM1"}) for query in signals.BY_MESSAGE),
    *((query, {"workspace": 1, "enrollment": 1, "step": "a", "message": None}) for query in signals.BY_STEP),
]


@pytest.mark.parametrize(
    ("query", "parameters"), QUERIES, ids=lambda one: one.split()[0] if isinstance(one, str) else ""
)
def test_no_table_is_read_from_end_to_end(world: Any, query: str, parameters: dict[str, Any]) -> None:
    with world.database.transaction() as session:
        session.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in session.execute(f"EXPLAIN {query}".encode(), parameters).fetchall())
    assert "Seq Scan" not in plan, plan
