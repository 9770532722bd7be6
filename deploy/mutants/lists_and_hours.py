"""Guards of what lists say and of the quiet hours that the law asks for, switched off one at a time."""

from typing import Final

from deploy.mutants.mutant import Mutant

LISTS_AND_HOURS: Final = (
    Mutant(
        "quiet-law",
        "a message goes out in the quiet hours of the law",
        "engine/rules/calendar/whereabouts.py",
        "laws = where.laws if heeds_laws(step, definition, where.hours) else ()",
        "laws: tuple[QuietLaw, ...] = ()",
        ("tests/integration/test_calendar.py::test_the_law_holds_when_a_row_is_claimed",),
    ),
    Mutant(
        "quiet-day",
        "every day has the quiet hours of Monday",
        "engine/rules/calendar/opening.py",
        "weekday = WEEKDAYS[day.weekday()]",
        "weekday = WEEKDAYS[0]",
        ("tests/unit/test_quiet_hours.py::test_a_day_has_hours_of_its_own",),
    ),
    Mutant(
        "resumed-contradiction",
        "after a resume a line that contradicts one of the lines before is taken",
        "producers/bulk/chunks.py",
        "check.take(Chunk(), record)",
        "pass",
        ("tests/unit/test_bulk_earlier.py::test_a_resumed_file_is_compared_with_the_lines_before",),
    ),
    Mutant(
        "guessed-date",
        "a date that may be one of two days is guessed",
        "engine/rules/dates.py",
        "if first != second and 1 <= first <= 12 and 1 <= second <= 12:",
        "if False:",
        ("tests/unit/test_dates.py::test_everything_else_is_reported",),
    ),
)
