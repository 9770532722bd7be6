"""Guards of what ends an enrollment early and of the time of a question, switched off one at a time."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_TIME: Final = "tests/unit/test_question_time.py"
TEST_CONDITIONS: Final = "tests/integration/test_conditions.py"
TEST_STALE: Final = "tests/integration/test_stale.py"

LEAVING: Final = (
    Mutant(
        "within-base",
        "the time of a question about a message counts from the turn of its step",
        "engine/rules/question_time.py",
        'if question.of != "sent":',
        "if True:",
        (f"{TEST_TIME}::test_its_time_is_over_so_long_after_its_base",),
    ),
    Mutant(
        "within-stored",
        "a stored version gets the default of today",
        "schema/definition/questions.py",
        "if info.context == FROM_FILE and ",
        "if ",
        (f"{TEST_TIME}::test_what_was_stored_before_there_was_a_choice_keeps_its_meaning",),
    ),
    Mutant(
        "within-behind",
        "the steps behind a question count from when its time was over, though its turn came later",
        "workers/gates/questions.py",
        "facing.reached(max(over, turn))",
        "facing.reached(over)",
        (f"{TEST_CONDITIONS}::test_an_open_two_days_after_sending_is_not_within_one_day",),
    ),
    Mutant(
        "exit-asked",
        "a reply ends a sequence by default though it asks for one",
        "schema/definition/definition.py",
        'if "exit_on" not in self.model_fields_set and self.asks_for_reply:',
        "if False:",
        ("tests/unit/test_default_exits.py::test_a_reply_ends_it_unless_the_file_says_otherwise_or_asks_for_one",),
    ),
    Mutant(
        "stale-version",
        "the rule of one version ends enrollments of another",
        "engine/outbox/stale.py",
        "e.version_id = ANY(%(versions)s))",
        "true)",
        (f"{TEST_STALE}::test_a_rule_ends_what_is_stale_in_its_version_alone",),
    ),
)
