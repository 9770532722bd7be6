"""Mutants of what `cadenza apply` warns of, and of an action that can't do what it says."""

from typing import Final

from deploy.mutants.mutant import Mutant

LINTING: Final = (
    Mutant(
        "enroll-nowhere",
        "an action that enrolls in a sequence that does not exist is done",
        "engine/outbox/actions.py",
        'there is no sequence {key}", status=RowStatus.FAILED)',
        'there is no sequence {key}")',
        ("tests/integration/test_actions.py::test_an_enrollment_that_cannot_be_made_is_told",),
    ),
    Mutant(
        "first-sms-elsewhere",
        "an SMS behind a branch is taken for a second one, though some contacts get it first",
        "schema/definition/lint.py",
        "if branches and all(reached):",
        "if branches and any(reached):",
        ("tests/unit/test_lint.py::test_each_sms_that_is_somebodys_first_says_how_to_opt_out",),
    ),
    Mutant(
        "strict-publishes",
        "`apply --strict` publishes what it warns of",
        "deploy/cli/sequences.py",
        "if strict and warnings:",
        "if False:",
        ("tests/acceptance/test_cli_sequences.py::test_a_warning_is_said_and_strict_makes_it_an_error",),
    ),
)
