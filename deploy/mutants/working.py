"""Guards of what people who work tasks are told, switched off one at a time."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_TASKS: Final = "tests/integration/test_tasks.py"

WORKING: Final = (
    Mutant(
        "task-paused",
        "a task of a paused workspace is not marked",
        "producers/tasks/listing.py",
        "return self.held or self.enrollment_status == EnrollmentStatus.PAUSED",
        "return self.enrollment_status == EnrollmentStatus.PAUSED",
        (f"{TEST_TASKS}::test_a_task_that_stands_still_is_marked_paused",),
    ),
    Mutant(
        "task-assignee",
        "a task that is not active yet is in nobody's list, or in everybody's",
        "producers/tasks/listing.py",
        "if wanted.assignee in (None, task.assignee) and",
        "if",
        (f"{TEST_TASKS}::test_a_task_that_is_not_active_yet_shows_what_its_step_says",),
    ),
    Mutant(
        "by-hand-ended",
        "a task that was added by hand outlives its enrollment",
        "engine/outbox/tasks.py",
        " WHEN e.status = 'cancelled' THEN 'cancelled'",
        "",
        (f"{TEST_TASKS}::test_tasks_added_by_hand_end_with_their_enrollment_and_are_explained",),
    ),
    Mutant(
        "delete-asked",
        "a task that somebody has is deleted without a question",
        "producers/altering.py",
        "if not (active and row.status == RowStatus.OPEN):",
        "if row.status != RowStatus.OPEN:",
        (f"{TEST_TASKS}::test_an_active_task_is_deleted_and_the_rest_counts_from_then",),
    ),
    Mutant(
        "messages-never",
        "a message that was never handed over is listed as one that was",
        "engine/outbox/person.py",
        "THEN started_at IS NOT NULL ELSE",
        "THEN true ELSE",
        ("tests/integration/test_person.py::test_what_was_never_handed_over_is_listed_when_asked_for",),
    ),
    Mutant(
        "gates-untold",
        "the history does not tell what a condition saw",
        "engine/outbox/advance.py",
        "if noted_by is not None:",
        "if False:",
        (
            (
                "tests/integration/test_conditions.py"
                "::test_the_history_tells_what_conditions_saw_and_what_waits_and_actions_came_to"
            ),
        ),
    ),
    Mutant(
        "down-unasked",
        "going back loses data without a question",
        "deploy/cli/database.py",
        "        if lost:",
        "        if False:",
        ("tests/acceptance/test_cli_migrate_down.py::test_what_would_be_lost_is_said_and_asked",),
    ),
)
