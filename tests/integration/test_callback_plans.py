"""What is asked for each group of callbacks and each STOP touches what it is about, whatever the statistics say."""

from collections.abc import Iterator
from typing import Any

import pytest
from stage import CONTACTS
from world import World

from engine.arrays import BigInts, Ints, Texts
from engine.outbox import decide, hold_contacts, in_flight
from engine.outbox.plan import Stretch, plan_enrollments
from engine.rules.planning import plan
from producers import events, report_group
from producers.sequences import find_sequence
from schema.states import Reentry

PEOPLE = 100_000
MANY = 300

#: Pages for each row that is asked for: look-ups in indexes of three levels, and what is written. To read a table from
#: end to end takes more than all of them together.
EACH = {
    "hold by token": 9,
    "hold by message": 15,
    "move": 26,
    "record": 15,
    "watched": 10,
    "hold companies": 5,
    "hold contacts": 6,
    "in flight": 5,
    "still in flight": 9,
}

SEQUENCE = "sequence: one\nsteps: [{key: only, type: sms, body: Hi}]"

#: All have been sent but the last few, which are under way.
ENDED = """
UPDATE outbox SET status = 'sent', fence = 1, sent_at = now(), provider_id = 'SM' || id, delivery_status = 'sent';
UPDATE enrollments SET status = 'completed', completed_at = now();
INSERT INTO attempt_records (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, provider_id)
SELECT o.id, 1, 1, 'sms', c.phone, '{}', 0, o.provider_id
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id;
UPDATE outbox SET status = 'sending', lease_until = now(), sent_at = NULL, provider_id = NULL
WHERE id > (SELECT max(id) - 300 FROM outbox);
"""

IDS = [number * 320 for number in range(1, MANY + 1)]
WORKSPACES = BigInts([1] * MANY)
SIDS = Texts([f"SM{number}" for number in IDS])
NONE = Texts([None] * MANY)

STATEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "hold by token": (
        report_group.HOLD,
        {"workspaces": WORKSPACES, "rows": BigInts(IDS), "provider_ids": SIDS},
    ),
    "hold by message": (
        report_group.HOLD,
        {"workspaces": WORKSPACES, "rows": BigInts([0] * MANY), "provider_ids": SIDS},
    ),
    "move": (
        report_group.MOVE,
        {"rows": BigInts(IDS), "statuses": Texts(["delivered"] * MANY), "error_codes": NONE},
    ),
    "record": (
        events.RECORD_ALL,
        {
            "workspaces": WORKSPACES,
            "providers": Texts(["twilio"] * MANY),
            "kinds": Texts(["status"] * MANY),
            "provider_ids": SIDS,
            "statuses": Texts(["delivered"] * MANY),
            "rows": BigInts(IDS),
            "fences": Ints([1] * MANY),
            "error_codes": NONE,
            "payloads": Texts(["{}"] * MANY),
        },
    ),
    "watched": (decide.WATCHED_BY_ANY, {"enrollments": BigInts(IDS), "orders": Ints([1] * MANY)}),
    "hold companies": (hold_contacts.HOLD_COMPANIES, {"contacts": BigInts(IDS)}),
    "hold contacts": (hold_contacts.HOLD, {"contacts": BigInts(IDS)}),
    "in flight": (
        in_flight.IN_FLIGHT,
        {"workspaces": WORKSPACES, "phones": Texts([f"+1{2015550000 + number}" for number in IDS])},
    ),
    "still in flight": (in_flight.STILL, {"ids": BigInts(IDS), "fences": Ints([1] * MANY)}),
}


@pytest.fixture
def crowded(world: World) -> Iterator[World]:
    """A hundred thousand messages, of which the statistics know nothing: they are of empty tables."""
    world.publish(SEQUENCE)
    world.execute(
        "ALTER TABLE outbox SET (autovacuum_enabled = off); ALTER TABLE attempt_records SET (autovacuum_enabled = off)"
    )
    world.execute("ALTER TABLE contacts SET (autovacuum_enabled = off)")
    world.execute("ALTER TABLE enrollments SET (autovacuum_enabled = off)")
    world.execute("ANALYZE")
    with world.database.transaction() as session:
        found = find_sequence(session, 1, "one")
        stretch = Stretch(1, found.sequence_id, found.version_id, Reentry.ONCE, plan(found.definition))
        contacts = [row[0] for row in session.execute(CONTACTS, (1, 1, PEOPLE)).fetchall()]
        for start in range(0, PEOPLE, 10_000):
            plan_enrollments(session, stretch, contacts[start : start + 10_000])
        session.execute(ENDED.encode())
    yield world


def pages(world: World, name: str) -> float:
    """The pages that a statement touches."""
    query, parameters = STATEMENTS[name]
    with world.database.transaction() as session:
        session.execute("SET LOCAL jit = off")
        told = session.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}".encode(), parameters).fetchone()
        session.rollback()
    assert told is not None
    node = told[0][0]["Plan"]
    return float(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


def test_a_statement_touches_what_it_is_given(crowded: World) -> None:
    """One test for all statements: to fill the tables takes longer than to ask."""
    touched = {("empty", name): pages(crowded, name) for name in STATEMENTS}
    crowded.execute("ANALYZE")
    touched |= {("now", name): pages(crowded, name) for name in STATEMENTS}
    assert {case: found for case, found in touched.items() if found > EACH[case[1]] * MANY} == {}
