"""Mutants of who must not be written to, and of when steps count from."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_SUPPRESSIONS: Final = "tests/integration/test_suppressions.py"
TEST_DOUBTFUL: Final = "tests/integration/test_doubtful.py"
TEST_UNDELIVERABLE: Final = "tests/integration/test_undeliverable.py"
TEST_COUNTS_FROM: Final = "tests/integration/test_counts_from.py"
TEST_STOP_WAITS: Final = "tests/integration/test_stop_waits.py"
TEST_GROUPS: Final = "tests/integration/test_report_groups.py"
TEST_EDITS: Final = "tests/integration/test_contact_edits.py"
TEST_ARCHIVED: Final = "tests/integration/test_unsubscribe_archived.py"
TEST_LINK: Final = "tests/integration/test_unsubscribe_link.py"

OPT_OUTS: Final = (
    Mutant(
        "opt-out-stays",
        "an opt-out does not follow the person to another address",
        "engine/outbox/suppressing.py",
        "WHERE gone.contact_id = c.id AND gone.channel = {row}.type",
        "WHERE false",
        (f"{TEST_SUPPRESSIONS}::test_a_stop_follows_the_person_and_start_lifts_it",),
    ),
    Mutant(
        "opt-out-late",
        "an opt-out of the person is not looked at right before the hand-over",
        "engine/outbox/last_look.py",
        "WHERE gone.contact_id = e.contact_id AND gone.channel = o.type OFFSET 0",
        "WHERE false OFFSET 0",
        (f"{TEST_SUPPRESSIONS}::test_nothing_is_handed_over_to_somebody_who_has_opted_out_meanwhile",),
    ),
    Mutant(
        "bounce-today",
        "a bounce bars the address that the contact has today",
        "producers/signals.py",
        '            _suppress(session, workspace.id, target.addresses, "bounced")',
        '            _suppress(session, workspace.id, _addresses(session, target), "bounced")',
        (f"{TEST_SUPPRESSIONS}::test_a_bounce_bars_the_address_that_the_message_went_to",),
    ),
    Mutant(
        "doubt-goes",
        "a contact whose message may be an opt-out is written to",
        "engine/outbox/contact_holds.py",
        "SELECT FROM contact_holds doubt WHERE doubt.contact_id = e.contact_id AND doubt.channel = o.type",
        "SELECT FROM contact_holds doubt WHERE false AND doubt.channel = o.type",
        (f"{TEST_DOUBTFUL}::test_a_contact_in_doubt_gets_nothing_on_that_channel_until_an_operator_decides",),
    ),
    Mutant(
        "carrier-bars",
        "a message that a carrier filtered bars its recipient",
        "engine/rules/answer_tables.py",
        '_twilio(REFUSED, 30006, "landline or unreachable carrier", UNDELIVERABLE),',
        '_twilio(REFUSED, 30006, "landline", UNDELIVERABLE), _twilio(REFUSED, 30007, "filtered", UNDELIVERABLE),',
        (f"{TEST_UNDELIVERABLE}::test_what_is_not_the_fault_of_the_number_suppresses_nobody",),
    ),
    Mutant(
        "scanner-leaves",
        "whoever opens the page is unsubscribed",
        "producers/api/unsubscribe.py",
        "                found = subscription_of(session, public_id, token)",
        "                unsubscribe(session, public_id, token)\n"
        "                found = subscription_of(session, public_id, token)",
        (f"{TEST_LINK}::test_opening_the_page_changes_nothing_and_the_button_unsubscribes",),
    ),
    Mutant(
        "forged-link",
        "a link is read without its signature",
        "engine/rules/unsubscribe.py",
        "if hmac.compare_digest(signature, data[_MESSAGE.size :]) else None",
        "if signature else None",
        (f"{TEST_LINK}::test_a_link_that_was_not_made_here_is_not_known",),
    ),
    Mutant(
        "pause-twice",
        "a pause counts in full for what happened during it",
        "engine/outbox/resume.py",
        "THEN e.until - greatest(e.since, waiting.rescheduled_at, (",
        "THEN e.until - least(e.since, waiting.rescheduled_at, (",
        (f"{TEST_COUNTS_FROM}::test_a_task_that_ends_during_a_pause_counts_that_pause_once",),
    ),
    Mutant(
        "skip-early",
        "what is behind a task that was skipped late counts from when it was due",
        "engine/outbox/advance.py",
        '"counts_from": now if end.began else None,',
        '"counts_from": None,',
        (f"{TEST_COUNTS_FROM}::test_no_message_goes_out_early_behind_a_task_that_was_skipped_late",),
    ),
    Mutant(
        "doubt-no-wait",
        "the answer to what may be an opt-out does not wait for claims that have not seen the hold",
        "producers/api/webhooks.py",
        'return says is OptOut.STOP or (says is OptOut.DOUBTFUL and tenant.doubtful == "hold")',
        "return says is OptOut.STOP",
        (f"{TEST_STOP_WAITS}::test_the_answer_to_what_may_be_an_opt_out_waits_too",),
    ),
    Mutant(
        "weak-reason-stays",
        "a delivered message lifts what an operator barred after the number was found dead",
        "engine/outbox/suppressing.py",
        'WHERE {strength("excluded.reason")} > {strength("suppressions.reason")}',
        "WHERE false",
        (
            f"{TEST_UNDELIVERABLE}::test_a_delivered_message_lifts_no_reason_that_came_after_the_number_was_dead",
            f"{TEST_UNDELIVERABLE}::test_what_an_operator_bars_after_a_stop_is_not_taken_back_by_a_start",
        ),
    ),
    Mutant(
        "doubt-of-today",
        "a decision bars the contact who has the number today, not the one who wrote",
        "producers/doubtful.py",
        "contact_with(session, workspace_id, phone) if contact_id is None else contact_id",
        "contact_with(session, workspace_id, phone)",
        (f"{TEST_DOUBTFUL}::test_the_person_who_wrote_opts_out_whatever_their_number_is_by_then",),
    ),
    Mutant(
        "lift-first",
        "in a group, a delivered message does not come after the failure that it followed",
        "producers/report_group.py",
        "following += groups.get(_number(told[number]), [])",
        "following += []",
        (f"{TEST_GROUPS}::test_a_group_ends_as_one_by_one",),
    ),
    Mutant(
        "archived-link",
        "the link of an email whose steps are in a detached archive unsubscribes nobody",
        "producers/unsubscribing.py",
        "    if owner is None:",
        "    if owner is None or True:",
        (f"{TEST_ARCHIVED}::test_the_link_of_a_detached_email_unsubscribes_whoever_has_the_address",),
    ),
    Mutant(
        "merge-unheld",
        "a merge plans before it holds the contacts",
        "producers/contact_merging.py",
        "    both = hold(session, [keep, other])  # before the plan: nobody is enrolled in between\n"
        "    planned = plan_merge(session, keep, other)\n",
        "    planned = plan_merge(session, keep, other)\n    both = hold(session, [keep, other])\n",
        (f"{TEST_EDITS}::test_whoever_is_enrolled_while_a_merge_waits_is_in_a_sequence_once",),
    ),
    Mutant(
        "erase-in-part",
        "a contact is erased though messages to it are in a detached archive",
        "producers/contact_erasing.py",
        "if state_of(session, month) is MonthState.DETACHED:",
        "if False:",
        (f"{TEST_EDITS}::test_nobody_is_erased_whose_messages_are_in_a_detached_archive",),
    ),
)
