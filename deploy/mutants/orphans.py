"""Guards of what rows belong to, switched off one at a time."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_ORPHANS: Final = "tests/integration/test_orphans.py"

ORPHANS: Final = (
    Mutant(
        "orphan-contact",
        "a contact is deleted beneath its enrollments",
        "schema/migrations/versions/0032_no_orphans.py",
        "ON e.contact_id = gone.id LIMIT 1",
        "ON false LIMIT 1",
        (f"{TEST_ORPHANS}::test_what_others_belong_to_is_not_deleted",),
    ),
    Mutant(
        "orphan-found",
        "doctor does not count what has lost its owner",
        "deploy/cli/check_orphans.py",
        "if row is not None and row[0]:",
        "if False:",
        (f"{TEST_ORPHANS}::test_what_was_lost_is_found",),
    ),
)
