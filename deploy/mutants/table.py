"""The guards that are switched off, one at a time. An edit that fits no more is an error, so that this can't rot."""

from typing import Final

from deploy.mutants.mutant import Mutant

CLAIM: Final = "engine/outbox/claim.py"
BEGIN: Final = "engine/outbox/begin.py"
SETTLE: Final = "engine/outbox/settle.py"
PIPELINE: Final = "workers/delivery/pipeline.py"

TEST_CLAIM: Final = "tests/integration/test_outbox_claim.py"
TEST_SETTLE: Final = "tests/integration/test_outbox_settle.py"
TEST_EVIDENCE: Final = "tests/integration/test_evidence.py"
TEST_HANDING_OVER: Final = "tests/integration/test_handing_over.py"
TEST_RESOLUTION: Final = "tests/integration/test_resolution.py"
TEST_RESTORED: Final = "tests/integration/test_restored_database.py"
TEST_STATUS: Final = "tests/integration/test_api_status.py"
TEST_STOP: Final = "tests/integration/test_stop_race.py"

CLAIMING: Final = (
    Mutant(
        "claim-status",
        "a row that is on its way is claimed again",
        CLAIM,
        "AND o.status = %(pending)b",
        "AND %(pending)b::text IS NOT NULL",
        (f"{TEST_CLAIM}::test_a_claimed_row_is_not_claimed_again",),
    ),
    Mutant(
        "claim-lock",
        "two workers that claim at once both get the row",
        CLAIM,
        "FOR UPDATE OF o SKIP LOCKED",
        "",
        (f"{TEST_CLAIM}::test_a_row_that_is_being_claimed_is_skipped",),
    ),
    Mutant(
        "claim-due",
        "rows are claimed before they are due",
        CLAIM,
        "AND o.due_at <= (SELECT sequence_now())",
        "",
        (f"{TEST_CLAIM}::test_due_is_read_on_the_sequence_clock",),
    ),
    Mutant(
        "claim-back-off",
        "a refusal for now is not waited out",
        CLAIM,
        "AND (o.retry_at IS NULL OR o.retry_at <= clock_timestamp())",
        "",
        (f"{TEST_CLAIM}::test_nothing_is_claimed_before_its_back_off_has_ended",),
    ),
    Mutant(
        "claim-enrollment",
        "rows of paused and ended enrollments are claimed",
        CLAIM,
        "AND e.status = 'active' AND {UNBLOCKED}",
        "AND {UNBLOCKED}",
        (f"{TEST_CLAIM}::test_nothing_is_claimed_for_an_enrollment_that_is_not_active",),
    ),
    Mutant(
        "claim-order",
        "a step overtakes the one before it",
        CLAIM,
        "AND e.status = 'active' AND {UNBLOCKED}",
        "AND e.status = 'active'",
        (f"{TEST_CLAIM}::test_a_step_waits_behind_one_that_is_not_resolved",),
    ),
    Mutant(
        "claim-suppression",
        "a claim does not tell that the recipient is suppressed",
        CLAIM,
        "WHERE s.workspace_id = claimed.workspace_id AND s.channel = claimed.type",
        "WHERE false AND s.channel = claimed.type",
        (f"{TEST_CLAIM}::test_a_suppressed_recipient_is_told",),
    ),
    Mutant(
        "claim-gate",
        "a restored database is claimed from before a leader has compared",
        CLAIM,
        "AND (SELECT open_until > clock_timestamp() FROM dispatch)",
        "",
        (f"{TEST_RESTORED}::test_nothing_is_claimed_before_a_leader_has_compared",),
    ),
)

HANDING_OVER: Final = (
    Mutant(
        "begin-written",
        "rows are handed over before their attempt is written down",
        PIPELINE,
        "allowed = begin(session, attempts)",
        "allowed = {attempt.id for attempt in attempts}",
        (f"{TEST_HANDING_OVER}::test_an_attempt_is_written_down_before_the_provider_is_called",),
    ),
    Mutant(
        "begin-fence",
        "an attempt is begun under another's claim",
        BEGIN,
        "ON o.id = attempt.id AND o.fence = attempt.fence AND",
        "ON o.id = attempt.id AND",
        (f"{TEST_SETTLE}::test_begin_is_refused_when_the_fence_has_moved",),
    ),
    Mutant(
        "begin-lease",
        "an attempt is begun after the lease has ended",
        BEGIN,
        "AND o.lease_until > clock_timestamp()",
        "",
        (f"{TEST_SETTLE}::test_begin_is_refused_after_the_lease",),
    ),
    Mutant(
        "begin-enrollment",
        "an attempt is begun for an enrollment that has ended",
        BEGIN,
        "e.status = 'active'\nWHERE {NOT_SUPPRESSED}\nFOR SHARE",
        "true\nWHERE {NOT_SUPPRESSED}\nFOR SHARE",
        (f"{TEST_SETTLE}::test_begin_is_refused_when_the_enrollment_has_ended",),
    ),
    Mutant(
        "begin-suppression",
        "an attempt is begun for a recipient who said STOP after the claim",
        BEGIN,
        "WHERE {NOT_SUPPRESSED}\nFOR SHARE",
        "FOR SHARE",
        (f"{TEST_STOP}::test_nothing_is_begun_for_a_suppressed_recipient",),
    ),
    Mutant(
        "begin-stop",
        "a STOP does not wait for what is being begun",
        BEGIN,
        "FOR SHARE OF e SKIP LOCKED",
        "",
        (f"{TEST_STOP}::test_a_stop_waits_for_what_is_being_begun",),
    ),
    Mutant(
        "socket-lease",
        "a row is handed over though its lease may end before the provider's answer",
        PIPELINE,
        "if started + self._settings.provider_timeout > prepared.lease_until:",
        "if started > prepared.lease_until + 86_400:",
        (f"{TEST_HANDING_OVER}::test_a_lease_that_is_too_short_is_not_risked",),
    ),
    Mutant(
        "socket-stop",
        "a worker that was held up does not look again for a STOP",
        PIPELINE,
        "elif started > prepared.begun + FRESH and not self._still_good(prepared.row):",
        "elif started > prepared.begun + 86_400:",
        (f"{TEST_STOP}::test_an_attempt_that_was_held_up_is_looked_at_again",),
    ),
)

SETTLING: Final = (
    Mutant(
        "settle-fence",
        "a late worker settles the claim of another",
        SETTLE,
        "WHERE o.id = ended.id AND o.fence = ended.fence AND",
        "WHERE o.id = ended.id AND",
        (f"{TEST_SETTLE}::test_a_late_worker_does_not_settle_the_claim_of_another",),
    ),
    Mutant(
        "settle-proof",
        "a worker that heard no answer undoes what a callback has proven",
        SETTLE,
        "AND a.outcome IS DISTINCT FROM 'accepted'",
        "",
        (f"{TEST_STATUS}::test_a_callback_may_come_before_the_answer",),
    ),
    Mutant(
        "unknown-answer",
        "a message without an answer is sent again on a guess",
        "engine/rules/ending.py",
        "return Verdict(RowStatus.UNKNOWN,",
        "return Verdict(RowStatus.PENDING,",
        ("tests/unit/test_rules_ending.py::test_unanswered_is_unknown_and_never_tried_again",),
    ),
    Mutant(
        "unknown-lease",
        "a message is sent again whose worker was lost during the hand-over",
        "engine/outbox/sweep.py",
        "CASE WHEN over.begun THEN 'unknown' ELSE 'pending' END",
        "'pending'",
        ("tests/integration/test_outbox_sweep.py::test_a_row_whose_hand_over_had_begun_is_in_doubt",),
    ),
)

RESOLVING: Final = (
    Mutant(
        "look-twice",
        "one look-up that finds nothing is enough to send again",
        "engine/rules/doubt.py",
        "LOOKS: Final = 2",
        "LOOKS: Final = 1",
        ("tests/unit/test_rules_doubt.py::test_a_text_that_is_not_found_is_sent_again_after_two_looks",),
    ),
    Mutant(
        "look-taken",
        "a message that is another row's is taken for this one's",
        "workers/reconciler.py",
        "for one in found.provider_ids if one not in taken",
        "for one in found.provider_ids",
        (f"{TEST_RESOLUTION}::test_a_message_of_another_row_is_not_taken_for_this_one",),
    ),
    Mutant(
        "look-rivals",
        "a message that may be either of two rows' is taken for the first one's",
        "engine/rules/doubt.py",
        "and not rivals:",
        ":",
        (f"{TEST_RESOLUTION}::test_one_message_for_two_rows_in_doubt_is_for_a_person",),
    ),
    Mutant(
        "email-once",
        "an email without an answer is sent again under at_most_once",
        "engine/rules/doubt.py",
        'if guarantee == "at_least_once" and unanswered < LOOKS:',
        "if unanswered < LOOKS:",
        ("tests/unit/test_rules_doubt.py::test_an_email_without_an_answer",),
    ),
    Mutant(
        "evidence-token",
        "a callback's token may be anything of the right length",
        "engine/rules/token.py",
        "return (row_id, fence) if hmac.compare_digest(sign(secret, row_id, fence), token) else None",
        "return row_id, fence",
        (
            "tests/unit/test_token.py::test_no_other_token_is_taken",
            "tests/integration/test_api_webhooks.py::test_a_token_of_another_workspace_is_refused",
        ),
    ),
    Mutant(
        "evidence-attempt",
        "evidence for an attempt that was never made settles a row",
        "engine/outbox/resolve.py",
        "WHERE outbox_id = %(row)b AND fence = %(fence)b",
        "WHERE outbox_id = %(row)b AND %(fence)b::int IS NOT NULL",
        (f"{TEST_EVIDENCE}::test_a_callback_for_another_workspace_or_attempt_changes_nothing",),
    ),
    Mutant(
        "evidence-workspace",
        "evidence of one workspace settles another's row",
        "engine/outbox/evidence.py",
        "workspace_id = coalesce(%(workspace)b::bigint, workspace_id)",
        "workspace_id = coalesce(workspace_id, %(workspace)b::bigint)",
        (f"{TEST_EVIDENCE}::test_a_callback_for_another_workspace_or_attempt_changes_nothing",),
    ),
    Mutant(
        "webhook-signature",
        "anybody may call the webhooks",
        "producers/api/twilio_caller.py",
        "if not self._validator.validate(url, fields, signature):",
        "if not signature:",
        ("tests/integration/test_api_webhooks.py::test_what_is_signed_otherwise_is_refused",),
    ),
    Mutant(
        "restore-held",
        "what fell due since the backup is sent again from a restored database",
        "workers/heartbeat.py",
        "if known > pulse.beat:",
        "if known < 0:",
        (f"{TEST_RESTORED}::test_what_fell_due_since_the_backup_is_held",),
    ),
    Mutant(
        "enroll-once",
        "the same enroll event twice is two enrollments",
        "producers/enroll_event.py",
        "if (before := _honoured(session, workspace.id, key, event)) is not None:",
        "if (before := None) is not None:",
        ("tests/integration/test_enroll.py::test_an_idempotency_key_is_honoured_after_the_enrollment_has_ended",),
    ),
)

MUTANTS: Final = (*CLAIMING, *HANDING_OVER, *SETTLING, *RESOLVING)
