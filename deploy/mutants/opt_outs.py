"""Mutants of who must not be written to, and of when steps count from."""

from typing import Final

from deploy.mutants.mutant import Mutant

TEST_SUPPRESSIONS: Final = "tests/integration/test_suppressions.py"
TEST_DOUBTFUL: Final = "tests/integration/test_doubtful.py"
TEST_UNDELIVERABLE: Final = "tests/integration/test_undeliverable.py"
TEST_COUNTS_FROM: Final = "tests/integration/test_counts_from.py"
TEST_LINK: Final = "tests/integration/test_unsubscribe_link.py"

OPT_OUTS: Final = (
    Mutant(
        "opt-out-stays",
        "an opt-out does not follow the person to another address",
        "engine/outbox/claim.py",
        "WHERE gone.contact_id = claimed.contact_id AND gone.channel = claimed.type",
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
)
