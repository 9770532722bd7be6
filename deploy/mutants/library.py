"""Mutants of drafts and closed sequences, of senders, and of the libraries of templates."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_INTAKE: Final = "tests/integration/test_sequence_intake.py"
TEST_TEMPLATES: Final = "tests/integration/test_templates.py"
TEST_SENDERS: Final = "tests/integration/test_senders.py"

LIBRARY: Final = (
    Mutant(
        "closed-takes",
        "a sequence that is closed to new people takes them",
        "engine/rules/intake.py",
        'return "is closed to new people" if closed else None',
        "return None",
        (f"{TEST_INTAKE}::test_a_closed_sequence_takes_nobody_new_and_those_in_it_go_on",),
    ),
    Mutant(
        "draft-takes",
        "a draft is open to people as soon as it is applied",
        "producers/sequences.py",
        "first = SequenceStatus.DRAFT if draft else SequenceStatus.ACTIVE",
        "first = SequenceStatus.ACTIVE",
        (f"{TEST_INTAKE}::test_a_draft_takes_nobody_before_it_is_activated",),
    ),
    Mutant(
        "closed-plan",
        "one who looked a sequence up before it was closed gets somebody in",
        "engine/outbox/plan.py",
        "AND s.closed_at IS NULL",
        "",
        (f"{TEST_INTAKE}::test_one_who_looked_the_sequence_up_before_it_closed_gets_nobody_in",),
    ),
    Mutant(
        "closed-writers",
        "who is being enrolled while a sequence is closed is not waited for",
        "producers/intake.py",
        "finished = wait_for_writers(database, patience)",
        "finished = True",
        (f"{TEST_INTAKE}::test_closing_waits_for_who_is_enrolling",),
    ),
    Mutant(
        "guarantee-own",
        "the guarantee of a step or a sequence gives way to the workspace's, and an email goes out twice",
        "workers/delivery/senders.py",
        "return own or definition.guarantee or tenant.smtp_guarantee or settings.smtp_guarantee",
        "return tenant.smtp_guarantee or settings.smtp_guarantee",
        (f"{TEST_SENDERS}::test_the_guarantee_of_a_sequence_comes_before_the_workspace_s",),
    ),
    Mutant(
        "sender-name",
        "an email has the name of somebody else's mailbox",
        "engine/rules/senders.py",
        "name = above or sender.name or below",
        "name = above or below or sender.name",
        ("tests/unit/test_rules_senders.py::test_a_name_comes_from_the_first_that_says_one",),
    ),
    Mutant(
        "template-used",
        "a template is deleted that sequences use",
        "producers/templates.py",
        "if used := uses(session, workspace_id).get(key):",
        "if used := []:",
        (f"{TEST_TEMPLATES}::test_a_template_that_is_used_is_not_deleted_and_where_is_said",),
    ),
    Mutant(
        "template-held",
        "a template is deleted while a sequence that takes from it is published",
        "producers/templates.py",
        "ORDER BY v.number DESC LIMIT 1 FOR KEY SHARE OF t",
        "ORDER BY v.number DESC LIMIT 1",
        (f"{TEST_TEMPLATES}::test_a_template_that_is_being_used_is_not_deleted_meanwhile",),
    ),
    Mutant(
        "template-together",
        "an email has the text of a step and the HTML of its template",
        "schema/definition/library.py",
        "own = {*step, *(TOGETHER if any(name in step for name in TOGETHER) else ())}",
        "own = {*step}",
        ("tests/unit/test_template_files.py::test_the_text_and_the_html_of_a_message_belong_together",),
    ),
)
