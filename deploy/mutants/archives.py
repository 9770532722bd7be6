"""Guards of the archive of steps: nothing is lost on the way there, and an opt-out finds its message."""

from typing import Final

from deploy.mutants.mutant import Mutant

MOVE: Final = "engine/outbox/cold_move.py"
TEST_MOVE: Final = "tests/integration/test_cold_move.py"

ARCHIVING: Final = (
    Mutant(
        "archive-held",
        "an enrollment is archived while a worker holds one of its rows",
        MOVE,
        "if held[one.enrollment] == one.rows",
        "if held[one.enrollment] <= one.rows",
        (f"{TEST_MOVE}::test_an_enrollment_of_which_a_row_is_held_is_left_for_the_next_run",),
    ),
    Mutant(
        "archive-outcome",
        "an attempt whose row says that it was accepted is archived without that",
        MOVE,
        "THEN 'accepted' ELSE a.outcome END AS outcome",
        "THEN NULL ELSE a.outcome END AS outcome",
        (f"{TEST_MOVE}::test_steps_move_with_their_attempts_and_the_enrollment_says_where",),
    ),
    Mutant(
        "archive-opt-out",
        "an unsubscribe that names an archived message finds no message",
        "producers/signals.py",
        "(OF_OUTBOX + OF_MESSAGE, OF_ARCHIVE + OF_MESSAGE)",
        "(OF_OUTBOX + OF_MESSAGE, OF_OUTBOX + OF_MESSAGE)",
        (f"{TEST_MOVE}::test_late_callbacks_and_signals_of_archived_messages",),
    ),
    Mutant(
        "archive-part",
        "a month is attached though some of its rows are missing",
        "producers/cold_months.py",
        "if (rows, attempts) != (moved_rows, moved_attempts):",
        "if rows > moved_rows:",
        (f"{TEST_MOVE}::test_a_month_is_attached_only_with_what_it_had",),
    ),
)
