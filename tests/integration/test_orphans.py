"""Nothing loses what it belongs to: deletions in SQL are refused, and `doctor` finds what was lost before."""

import psycopg
import pytest
from world import World

from deploy.cli.check_orphans import OrphansError, check_orphans
from producers.contact_merging import merge
from producers.operator import Operator
from producers.workspaces import find_workspace


@pytest.mark.parametrize(
    ("delete", "says", "hint"),
    [
        ("DELETE FROM contacts", "contact 1 has enrollments (such as 1)", "cadenza contact delete 1 --erase"),
        ("DELETE FROM sequence_versions", "sequence version 1 has enrollments (such as 1)", "cadenza archive"),
        ("DELETE FROM enrollments", "enrollment 1 has steps (such as row 1)", "cadenza cancel 1"),
    ],
)
def test_what_others_belong_to_is_not_deleted(world: World, delete: str, says: str, hint: str) -> None:
    world.publish()
    world.enroll()
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as refused:
        world.execute(delete)
    assert says in str(refused.value)
    assert hint in (refused.value.diag.message_hint or "")


def test_what_nobody_belongs_to_is_deleted(world: World) -> None:
    world.publish()
    world.enroll(count=2)
    world.execute(
        "DELETE FROM enroll_events; DELETE FROM outbox WHERE enrollment_id = 1; DELETE FROM enrollments WHERE id = 1;"
        " DELETE FROM contacts WHERE id = 1"
    )
    assert world.query("SELECT id FROM contacts") == [(2,)]
    with world.database.transaction() as session:
        mine = find_workspace(session, "default")
        session.execute("INSERT INTO contacts (workspace_id, external_id) VALUES (1, 'keep')")
        merge(session, mine, Operator("default", "ann"), 3, 2)
    assert world.query("SELECT contact_id FROM enrollments") == [(3,)]
    assert check_orphans(world.database).startswith("every enrollment has its contact")


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        ("DELETE FROM contacts", "2 enrollments without a contact, such as 1: restore the contact"),
        ("DELETE FROM sequence_versions", "2 enrollments without a sequence version, such as 1"),
        ("DELETE FROM enrollments", "6 outbox rows without an enrollment, such as 1"),
        ("DELETE FROM outbox", "1 attempt without an outbox row, such as 1"),
    ],
)
def test_what_was_lost_is_found(world: World, lose: str, says: str) -> None:
    world.publish()
    world.enroll(count=2)
    world.begin([1])
    world.execute("DELETE FROM enroll_events")
    world.execute(f"SET LOCAL session_replication_role = replica; {lose}")
    with pytest.raises(OrphansError, match=says):
        check_orphans(world.database)
