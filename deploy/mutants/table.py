"""The guards that are switched off, one at a time. An edit that fits no more is an error, so that this can't rot."""

from typing import Final

from deploy.mutants.archives import ARCHIVING
from deploy.mutants.leaving import LEAVING
from deploy.mutants.library import LIBRARY
from deploy.mutants.linting import LINTING
from deploy.mutants.lists_and_hours import LISTS_AND_HOURS
from deploy.mutants.mutant import Mutant
from deploy.mutants.opt_outs import OPT_OUTS
from deploy.mutants.orphans import ORPHANS
from deploy.mutants.retrying import RETRYING
from deploy.mutants.working import WORKING

CLAIM: Final = "engine/outbox/claim.py"
BEGIN: Final = "engine/outbox/begin.py"
SETTLE: Final = "engine/outbox/settle.py"
DISPATCH: Final = "engine/outbox/dispatch.py"
HAND_OVER: Final = "workers/delivery/hand_over.py"

TEST_CLAIM: Final = "tests/integration/test_outbox_claim.py"
TEST_SETTLE: Final = "tests/integration/test_outbox_settle.py"
TEST_EVIDENCE: Final = "tests/integration/test_evidence.py"
TEST_RESOLUTION: Final = "tests/integration/test_resolution.py"
TEST_RESTORED: Final = "tests/integration/test_restored_database.py"
TEST_STATUS: Final = "tests/integration/test_api_status.py"
TEST_ARCHIVING: Final = "tests/integration/test_archiving.py"
TEST_STOP_WAITS: Final = "tests/integration/test_stop_waits.py"
TEST_PAUSING: Final = "tests/integration/test_pausing.py"
TEST_TOLD: Final = "tests/integration/test_told_by_row.py"
TEST_PLANS: Final = "tests/integration/test_plan_shapes.py"
TEST_GOALS: Final = "tests/integration/test_goals.py"
TEST_RETENTION: Final = "tests/integration/test_retention.py"
TEST_SMS_WIRE: Final = "tests/integration/test_channel_sms_wire.py"
TEST_STOP: Final = "tests/integration/test_stop_race.py"

HOURS: Final = "workers/delivery/hours.py"
PLANNING: Final = "engine/rules/planning.py"

TEST_CALENDAR: Final = "tests/integration/test_calendar.py"

CLAIMING: Final = (
    Mutant(
        "claim-hours",
        "a late row goes out in quiet hours",
        HOURS,
        "if later.moment <= now:",
        "if later.moment:",
        (f"{TEST_CALENDAR}::test_a_row_that_is_claimed_in_quiet_hours_goes_back_and_out_when_they_are_over",),
    ),
    Mutant(
        "late-behind",
        "steps behind a late one are moved by as much, whatever their local time",
        PLANNING,
        "if at(ended=was).moment != one.due_at:",
        "if at(ended=was).moment is not None:",
        (f"{TEST_CALENDAR}::test_steps_behind_a_late_one_keep_their_local_time",),
    ),
    Mutant(
        "claim-status",
        "a row that is on its way is claimed again",
        CLAIM,
        "AND {checked(\"o.status = 'pending'\")}",
        "",
        (f"{TEST_CLAIM}::test_a_claimed_row_is_not_claimed_again",),
    ),
    Mutant(
        "claim-lock",
        "rows are claimed that another worker is claiming",
        CLAIM,
        "FOR UPDATE OF o SKIP LOCKED",
        "",
        (f"{TEST_CLAIM}::test_rows_that_another_worker_is_claiming_are_left_alone",),
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
        "AND {checked(\"e.status = 'active'\")} AND {UNBLOCKED}",
        "AND {UNBLOCKED}",
        (f"{TEST_CLAIM}::test_nothing_is_claimed_for_an_enrollment_that_is_not_active",),
    ),
    Mutant(
        "claim-order",
        "a step overtakes the one before it",
        CLAIM,
        "AND {UNBLOCKED} AND {NOT_PAUSED} AND {NOT_HELD}\n        AND {NOT_ON_HOLD}\n    FOR",
        "AND {NOT_PAUSED} AND {NOT_HELD}\n        AND {NOT_ON_HOLD}\n    FOR",
        (f"{TEST_CLAIM}::test_a_step_waits_behind_one_that_is_not_resolved",),
    ),
    Mutant(
        "claim-suppression",
        "a claim does not tell that the recipient is suppressed",
        "engine/outbox/suppressing.py",
        "WHERE s.workspace_id = {row}.workspace_id AND s.channel = {row}.type",
        "WHERE false AND s.channel = {row}.type",
        (f"{TEST_STOP}::test_a_suppressed_recipient_is_told_with_the_claim",),
    ),
    Mutant(
        "claim-gate",
        "a restored database is claimed from before a leader has compared",
        CLAIM,
        "AND (SELECT open_until > clock_timestamp() FROM dispatch WHERE id)",
        "",
        (f"{TEST_RESTORED}::test_nothing_is_claimed_before_a_leader_has_compared",),
    ),
)

HANDING_OVER: Final = (
    Mutant(
        "begin-written",
        "rows are handed over before their attempt is written down",
        BEGIN,
        "FROM begun WHERE payload IS NOT NULL",
        "FROM begun WHERE false",
        ("tests/integration/test_outbox_sweep.py::test_a_row_whose_hand_over_had_begun_is_in_doubt",),
    ),
    Mutant(
        "begin-fence",
        "an attempt is begun of a row that this transaction has not claimed",
        BEGIN,
        "AND o.fence = attempt.fence - 1 AND",
        "AND",
        (f"{TEST_SETTLE}::test_only_what_was_claimed_is_begun",),
    ),
    Mutant(
        "socket-lease",
        "a row is handed over though its lease may end before the provider's answer",
        HAND_OVER,
        "if time.monotonic() + self._provider_timeout > prepared.lease_until:",
        "if time.monotonic() > prepared.lease_until + 86_400:",
        (f"{TEST_STOP}::test_a_row_is_not_handed_over_when_its_lease_is_shorter_than_the_time_out",),
    ),
    Mutant(
        "socket-stop",
        "a worker that was held up does not look again for a STOP",
        HAND_OVER,
        "while time.monotonic() > good_since + FRESH:",
        "while time.monotonic() > good_since + 86_400:",
        (f"{TEST_STOP}::test_an_attempt_that_was_held_up_is_looked_at_again",),
    ),
)

SETTLING: Final = (
    Mutant(
        "settle-fence",
        "a late worker settles the claim of another",
        SETTLE,
        "AND o.fence = ended.fence AND",
        "AND",
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
        ("tests/unit/test_rules_doubt.py::test_nothing_is_believed_at_the_second_look",),
    ),
    Mutant(
        "email-once",
        "an email without an answer is sent again under at_most_once",
        "engine/rules/doubt.py",
        'if guarantee == "at_least_once" and unanswered < LOOKS:',
        "if unanswered < LOOKS:",
        (f"{TEST_RESOLUTION}::test_email_at_most_once_goes_to_review_and_the_sequence_goes_on",),
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
        "a.fence = %(fence)b AND told.outbox_id = %(row)b AND told.fence = %(fence)b",
        "told.outbox_id = %(row)b AND told.fence = a.fence",
        (f"{TEST_EVIDENCE}::test_a_callback_of_a_forgotten_attempt_tells_nothing_of_another",),
    ),
    Mutant(
        "evidence-workspace",
        "evidence of one workspace settles another's row",
        "engine/outbox/evidence.py",
        "WHERE id = %(row)b AND workspace_id = %(workspace)b FOR UPDATE",
        "WHERE id = %(row)b AND %(workspace)b::bigint IS NOT NULL FOR UPDATE",
        (f"{TEST_RESOLUTION}::test_a_callback_for_another_workspace_changes_nothing",),
    ),
    Mutant(
        "webhook-signature",
        "anybody may call the webhooks",
        "producers/api/twilio_caller.py",
        "if not self._is_signed_plainly(self._public_url, call, form, pairs):",
        "if not call.signature:",
        ("tests/integration/test_api_webhooks.py::test_what_is_signed_otherwise_is_refused",),
    ),
    Mutant(
        "restore-held",
        "what fell due since the backup is sent again from a restored database",
        "workers/heartbeat.py",
        "held = hold_what_is_due(session)",
        "held = 0",
        (f"{TEST_RESTORED}::test_what_fell_due_since_the_backup_is_held",),
    ),
    Mutant(
        "restore-moved",
        "what was moved before a leader has compared is sent again from a restored database",
        DISPATCH,
        "AND (o.due_at <= moment.now OR o.reason = %(moved)b)",
        "AND (o.due_at <= moment.now OR %(moved)b::text IS NULL)",
        (f"{TEST_RESTORED}::test_a_row_that_was_moved_before_a_leader_has_compared_is_held",),
    ),
    Mutant(
        "restore-gates",
        "what may have gone out behind a gate since the backup is sent again",
        "engine/outbox/advance.py",
        "WHEN {FORGOTTEN} OR {PERHAPS} THEN 'review'",
        "WHEN {FORGOTTEN} THEN 'review'",
        (f"{TEST_RESTORED}::test_what_may_have_gone_out_behind_a_gate_in_the_time_that_was_lost_is_held",),
    ),
    Mutant(
        "restore-ids",
        "rows get ids that were given out since the backup",
        DISPATCH,
        "session.execute(LEAP_AHEAD)",
        "pass",
        (f"{TEST_RESTORED}::test_no_row_gets_an_id_that_the_backup_has_forgotten",),
    ),
    Mutant(
        "restore-fences",
        "attempts are named like those that the backup has forgotten",
        DISPATCH,
        "FENCES: Final = 1_000",
        "FENCES: Final = 1",
        (f"{TEST_RESTORED}::test_no_attempt_is_named_like_one_that_the_backup_has_forgotten",),
    ),
    Mutant(
        "look-rivals",
        "a message that may be another row's proves that this one was accepted",
        "engine/rules/doubt.py",
        "if len(matches) == 1 and not has_rivals:",
        "if len(matches) == 1:",
        ("tests/integration/test_reconciler.py::test_a_message_of_one_of_two_rows_is_for_a_person",),
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

CONTROLLING: Final = (
    Mutant(
        "hold-claim",
        "rows of a paused sequence or workspace are claimed",
        CLAIM,
        "AND {UNBLOCKED} AND {NOT_PAUSED} AND {NOT_HELD}",
        "AND {UNBLOCKED} AND {NOT_PAUSED}",
        (f"{TEST_PAUSING}::test_nothing_goes_out_while_it_is_paused",),
    ),
    Mutant(
        "hold-socket",
        "a worker that was held up does not look again for a pause",
        "engine/outbox/last_look.py",
        "AND {NOT_HELD} AND {NOT_ON_HOLD} AND NOT EXISTS (",
        "AND {NOT_ON_HOLD} AND NOT EXISTS (",
        (f"{TEST_PAUSING}::test_a_pause_waits_for_claims_that_have_not_seen_it",),
    ),
    Mutant(
        "pause-barrier",
        "a pause does not wait for claims that have not seen it",
        "engine/outbox/barrier.py",
        "under_way = look()",
        "under_way: set[str] = set()",
        (f"{TEST_PAUSING}::test_a_pause_waits_for_claims_that_have_not_seen_it",),
    ),
    Mutant(
        "archive-hold",
        "what runs in an archived sequence goes out until it is ended",
        "engine/outbox/archive.py",
        "hold(session, workspace_id, sequence_id, by, ARCHIVED)",
        "pass",
        (f"{TEST_ARCHIVING}::test_nothing_is_begun_from_the_moment_it_is_stored",),
    ),
    Mutant(
        "archive-writers",
        "who is being enrolled while a sequence is archived is left to run",
        "producers/archiving.py",
        "finished = wait_for_writers(database, patience)",
        "finished = True",
        (f"{TEST_ARCHIVING}::test_who_is_enrolling_meanwhile_is_waited_for_and_ended_too",),
    ),
    Mutant(
        "archive-plan",
        "one who looked a sequence up before it was archived gets somebody in",
        "engine/outbox/plan.py",
        "JOIN sequences s ON s.id = v.sequence_id AND s.status <> 'archived'",
        "JOIN sequences s ON s.id = v.sequence_id",
        (f"{TEST_ARCHIVING}::test_one_who_looked_the_sequence_up_before_gets_nobody_in",),
    ),
    Mutant(
        "reentry-lock",
        "two who enroll a contact again at once do not see each other",
        "engine/outbox/reentry.py",
        "session.execute(HOLD, of, binary=True)",
        "pass",
        ("tests/integration/test_reentry.py::test_one_that_has_ended_by_the_time_it_is_seen_bars_too",),
    ),
    Mutant(
        "resume-once",
        "the time that two pauses have in common is counted twice",
        "engine/outbox/resume.py",
        "least(moment.now, e.paused_at, {OTHERS}) AS until",
        "moment.now AS until",
        (f"{TEST_PAUSING}::test_pauses_that_overlap_are_counted_once",),
    ),
    Mutant(
        "skip-doubt",
        "an email that may have been accepted is said to be skipped",
        "engine/outbox/steer.py",
        "if step.in_doubt",
        "if False",
        ("tests/integration/test_steering.py::test_an_email_that_may_have_been_accepted_is_not_said_to_be_skipped",),
    ),
    Mutant(
        "migrate-wait",
        "a claim that is under way begins a message of the version that its enrollment has left",
        "producers/migrating.py",
        "if near:",
        "if False:",
        (
            "tests/integration/test_migrating_race.py::test_a_claim_that_has_looked_before_the_move_gets_nothing_after_it",
        ),
    ),
    Mutant(
        "goal-claim",
        "a message goes out though its goal is reached, where nobody was told of it",
        "workers/delivery/goals.py",
        "if asked else set()",
        "if False else set()",
        (f"{TEST_GOALS}::test_nothing_goes_out_though_the_contact_was_changed_behind_our_back",),
    ),
    Mutant(
        "goal-enrolled",
        "who is enrolled while a contact comes to the goal is not held against the change",
        "producers/enrollment.py",
        "keep_contacts(session, ids)",
        "pass",
        (f"{TEST_GOALS}::test_what_is_enrolled_while_the_attribute_changes_ends_too",),
    ),
    Mutant(
        "webhook-public",
        "a webhook reaches addresses that are not public",
        "workers/channels/webhook/place.py",
        "if is_open(host, address, port, openings):",
        "if host:",
        ("tests/integration/test_webhooks.py::test_what_is_not_public_is_not_called",),
    ),
    Mutant(
        "webhook-key",
        "each try of a webhook has a key of its own, so that a receiver can't tell that it is the same call",
        "engine/rules/webhooks.py",
        'return f"{workspace_public_id}.{row_id}"',
        'return f"{workspace_public_id}.{row_id}.{datetime.now(UTC).timestamp()}"',
        ("tests/integration/test_webhooks.py::test_a_call_whose_worker_was_lost_is_repeated_with_its_key",),
    ),
    Mutant(
        "stop-no-wait",
        "a STOP is answered while something is in flight to its number",
        "producers/api/webhooks.py",
        "if phone is not None and _keeps_from(tenant, received.says):",
        "if phone is None and _keeps_from(tenant, received.says):",
        (f"{TEST_STOP_WAITS}::test_it_waits_for_what_was_handed_over",),
    ),
    Mutant(
        "stop-recipient",
        "a STOP waits for what is in flight to others",
        "engine/outbox/in_flight.py",
        "AND attempted.recipient = asked.phone",
        "AND attempted.recipient <> asked.phone",
        (f"{TEST_STOP_WAITS}::test_it_waits_for_what_was_handed_over",),
    ),
    Mutant(
        "stop-claims",
        "a STOP does not wait for a claim that has read the number before",
        "producers/api/in_flight.py",
        "through = [one for one in waiting if not one.claims]",
        "through = list(waiting)",
        (f"{TEST_STOP_WAITS}::test_a_claim_that_may_not_have_seen_it_is_waited_for",),
    ),
    Mutant(
        "report-evidence",
        "a callback that comes in a group proves nothing",
        "producers/report_group.py",
        "return report.attempt is None or (row.status == RowStatus.SENT and row.provider_id == report.provider_id)",
        "return True",
        ("tests/integration/test_api_status.py::test_a_callback_settles_a_row_in_doubt",),
    ),
    Mutant(
        "report-locked",
        "a group of callbacks waits for a row that somebody has locked",
        "producers/report_group.py",
        "FOR NO KEY UPDATE SKIP LOCKED",
        "FOR NO KEY UPDATE",
        ("tests/integration/test_report_groups.py::test_a_row_that_somebody_has_locked_is_not_waited_for",),
    ),
)

#: Statements find their rows by what they are given.
PLANNED: Final = (
    Mutant(
        "plan-order",
        "statements may find what they are given by any way, as statistics say",
        "engine/outbox/lookups.py",
        'return f"{column} = ANY (ARRAY[{value}])"',
        'return f"{column} = {value}"',
        (f"{TEST_PLANS}::test_a_statement_touches_what_it_is_given",),
    ),
    Mutant(
        "plan-status",
        "statements may find rows by the partial index of a status",
        "engine/outbox/lookups.py",
        'return f"coalesce({condition}, false)"',
        'return f"({condition})"',
        (f"{TEST_PLANS}::test_a_statement_touches_what_it_is_given",),
    ),
    Mutant(
        "plan-jit",
        "statements are compiled, each time",
        "engine/session_settings.py",
        '"jit": "off",',
        '"jit": "on",',
        ("tests/integration/test_database.py::test_no_session_compiles_statements",),
    ),
)

COUNTING: Final = (
    Mutant(
        "count-old",
        "a row that changes its status is counted in both",
        "schema/migrations/versions/0015_counters.py",
        "UNION ALL SELECT workspace_id, status, -1 FROM old_rows",
        "UNION ALL SELECT workspace_id, status, 0 FROM old_rows",
        ("tests/integration/test_counters.py::test_a_recount_leaves_what_is_not_committed_to_its_own_delta",),
    ),
    Mutant(
        "gauges-leader",
        "every host exports what all have in common",
        "workers/gauges.py",
        "if not is_led_from(session, LEADER_LOCK, self._host):",
        "if False:",
        ("tests/integration/test_gauges.py::test_the_gauges_follow_the_lead",),
    ),
)

TEST_STUCK: Final = "tests/integration/test_stuck_rows.py"
TEST_NEWS: Final = "tests/integration/test_news.py"

SWEEPING: Final = (
    Mutant(
        "sweep-mark",
        "nobody notices that Redis was emptied, or went back to an older dump",
        "workers/stuck_rows.py",
        "queue.mark is None or queue.mark != self._mark or",
        "",
        (f"{TEST_STUCK}::test_a_redis_that_went_back_to_an_older_dump_is_noticed",),
    ),
    Mutant(
        "sweep-queued",
        "a sweep wakes again what is queued and moving",
        "workers/stuck_rows.py",
        "queue.oldest - self._sweep_seconds",
        "real_now",
        (f"{TEST_STUCK}::test_a_backlog_that_moves_is_left_alone",),
    ),
    Mutant(
        "sweep-kept",
        "a sweep walks all rows that a pause keeps",
        "workers/stuck_rows.py",
        "while spared < PAGE:",
        "while True:",
        (f"{TEST_STUCK}::test_rows_that_were_kept_are_looked_at_again_page_by_page",),
    ),
    Mutant(
        "sweep-plan",
        "old statistics have each page of a sweep walk the index of running enrollments, or join all",
        "engine/outbox/sweep.py",
        "FROM (SELECT * FROM enrollments WHERE id = o.enrollment_id OFFSET 0) AS e",
        "FROM (SELECT * FROM enrollments WHERE id + 0 = o.enrollment_id) AS e",
        (f"{TEST_STUCK}::test_a_page_costs_the_same_whatever_the_statistics_say",),
    ),
    Mutant(
        "news-due",
        "a wake-up that another process schedules for now waits for the next look",
        "engine/wakeups/news.py",
        'if kind == "subscribe" or data == name:',
        'if kind == "subscribe":',
        (f"{TEST_NEWS}::test_what_another_process_schedules_for_now_is_promoted_at_once",),
    ),
)

RETAINING: Final = (
    Mutant(
        "retain-running",
        "retention archives the steps of enrollments that run",
        "engine/outbox/retention.py",
        "e.status IN ({sql_list(EnrollmentStatus.COMPLETED, EnrollmentStatus.CANCELLED)})\n"
        "    AND coalesce(e.completed_at, e.cancelled_at) < %(ended_before)s",
        "coalesce(e.completed_at, e.cancelled_at, e.enrolled_at) < %(ended_before)s",
        (f"{TEST_RETENTION}::test_attempts_move_when_their_enrollment_ended_long_ago",),
    ),
    Mutant(
        "retain-doubt",
        "retention archives rows in doubt",
        "engine/outbox/cold_move.py",
        "AND held.is_final",
        "",
        (f"{TEST_RETENTION}::test_attempts_move_when_their_enrollment_ended_long_ago",),
    ),
    Mutant(
        "retain-opt-outs",
        "retention removes what proves an opt-out",
        "engine/outbox/retention.py",
        "page.status NOT IN ({CONSENT})",
        "true",
        (f"{TEST_RETENTION}::test_events_go_but_for_opt_outs_and_what_a_running_enrollment_may_ask_for",),
    ),
    Mutant(
        "retain-history",
        "retention drops a month of the history with what running enrollments have in it",
        "producers/retention.py",
        "keep=held.needed > 0",
        "keep=False",
        (f"{TEST_RETENTION}::test_an_old_month_of_history_goes_but_for_what_still_runs",),
    ),
)

CARRYING: Final = (
    Mutant(
        "smtp-dot",
        "an email whose final dot was sent is taken for one that was not",
        "workers/channels/email/connection.py",
        'self.stage = "dot"',
        'self.stage = "data"',
        ("tests/integration/test_channel_email.py::test_after_the_final_dot_only_a_reply_settles",),
    ),
    Mutant(
        "http-connected",
        "a request that was not answered is taken for one that was not sent",
        "workers/channels/sms/channel.py",
        'return Outcome(AttemptOutcome.UNANSWERED, detail=f"no answer: {type(error).__name__}")',
        'return Outcome(AttemptOutcome.HELD, detail=f"no answer: {type(error).__name__}")',
        ("tests/integration/test_channel_sms.py::test_no_answer_is_never_taken_for_a_no",),
    ),
    Mutant(
        "http-unasked",
        "what a server says unasked over an idle connection is taken for the answer to the next request",
        "workers/channels/sms/posting.py",
        "if connection.protocol is None or not connection.protocol.should_close:",
        "if connection.protocol is not None:",
        (f"{TEST_SMS_WIRE}::test_what_comes_unasked_over_an_idle_connection_answers_nothing",),
    ),
    Mutant(
        "late-deadline",
        "a process that was stopped cancels its sends before it reads the answers that have come",
        "workers/channels/deadlines.py",
        "self._timer = asyncio.get_running_loop().call_later(LAST_CHANCE, self._expire)",
        "self._expire()",
        ("tests/unit/test_deadlines.py::test_an_answer_that_is_there_when_a_stopped_process_goes_on_is_read",),
    ),
)

#: The end of a plainly accepted attempt is told by its row.
TOLD: Final = (
    Mutant(
        "told-lost",
        "the word of a worker whose row was taken from it is forgotten",
        SETTLE,
        " AND (ended.id, ended.fence + 1) NOT IN (SELECT id, fence FROM settled)",
        " AND false",
        (f"{TEST_TOLD}::test_two_words_of_one_row_are_both_kept",),
    ),
    Mutant(
        "told-over",
        "an end that the row tells is written over",
        SETTLE,
        "told.accepted_fence = a.fence OFFSET 0",
        "false OFFSET 0",
        (f"{TEST_TOLD}::test_an_end_is_not_written_over",),
    ),
    Mutant(
        "told-name",
        "the row's message becomes that of an attempt that has another",
        "engine/outbox/evidence.py",
        "AND a.fence = o.accepted_fence AND a.outcome IS NULL",
        "AND false",
        (f"{TEST_TOLD}::test_an_end_is_written_down_before_the_row_gets_the_name_of_another",),
    ),
)

MUTANTS: Final = (
    *CLAIMING,
    *HANDING_OVER,
    *SETTLING,
    *RESOLVING,
    *CONTROLLING,
    *PLANNED,
    *COUNTING,
    *SWEEPING,
    *RETAINING,
    *CARRYING,
    *TOLD,
    *LEAVING,
    *LISTS_AND_HOURS,
    *ORPHANS,
    *RETRYING,
    *WORKING,
    *ARCHIVING,
    *OPT_OUTS,
    *LINTING,
    *LIBRARY,
)
