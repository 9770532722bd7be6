"""Guards of how messages are tried again, switched off one at a time."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_ENDING: Final = "tests/unit/test_rules_ending.py"
TEST_RETRYING: Final = "tests/integration/test_retrying.py"
TEST_RESOLUTION: Final = "tests/integration/test_resolution.py"

RETRYING: Final = (
    Mutant(
        "greylist-for-ever",
        "a server that asks to come again is asked for ever",
        "engine/rules/ending.py",
        "if refusals >= REFUSALS:",
        "if False:",
        (f"{TEST_ENDING}::test_a_server_that_asks_to_come_again_is_asked_for_a_day_and_costs_no_try",),
    ),
    Mutant(
        "greylist-pace",
        "each wait of a greylisted message is the first one",
        "engine/outbox/claim.py",
        "AND a.outcome = 'held' AND a.error_code IN ({COME_AGAIN})",
        "AND false",
        ("tests/integration/test_delivery.py::test_greylisting_uses_no_try_and_each_wait_is_longer",),
    ),
    Mutant(
        "look-late",
        "after a server error the first look-up waits for the grace time",
        "engine/outbox/doubt.py",
        "last.error_code = ANY(%(errors)b)",
        "last.error_code = ANY(%(errors)b) AND false",
        (f"{TEST_RESOLUTION}::test_after_a_gateway_error_the_request_may_be_under_way",),
    ),
    Mutant(
        "look-gateway",
        "an error of a gateway counts as the end of the request",
        "engine/rules/doubt.py",
        '"20500", "20503", "500", "503"',
        '"20500", "20503", "500", "503", "502", "504"',
        (f"{TEST_RESOLUTION}::test_after_a_gateway_error_the_request_may_be_under_way",),
    ),
    Mutant(
        "retry-fence",
        "a failed message is sent again though it was retried since the preview",
        "producers/retrying.py",
        "if row.id not in resolved.ids:",
        "if False:",
        (f"{TEST_RETRYING}::test_what_was_retried_meanwhile_is_not_sent_twice",),
    ),
    Mutant(
        "retry-ended",
        "a failed message of an enrollment that has ended early is due again",
        "producers/resending.py",
        "if status == EnrollmentStatus.CANCELLED:",
        "if False:",
        (f"{TEST_RETRYING}::test_an_enrollment_that_ends_after_the_plan_is_left_alone",),
    ),
    Mutant(
        "retry-behind",
        "the step behind a message that is sent again does not count from it",
        "engine/outbox/failed.py",
        "    if begun is not None:",
        "    if True:",
        (f"{TEST_RETRYING}::test_a_failed_message_goes_out_once_and_the_next_step_keeps_its_delay",),
    ),
)
