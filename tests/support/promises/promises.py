"""What must hold at every hand-over, and of all rows after everything that happens."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from engine.outbox.following import LATE
from promises.ground import Ground
from promises.provider import Provider
from promises.rows import AttemptId, Row, Step, before, open_before
from schema.states import BLOCKING, AttemptOutcome, EnrollmentStatus, RowStatus
from workers.delivery.prepared import Prepared

#: Seconds of sequence time between the steps of the long sequence.
DELAY = 86_400.0

#: Seconds that the model itself may take between two looks.
SLACK = 5.0


class Promises:
    """Watches the ground and the provider. The numbers are those of DESIGN.md section 5."""

    def __init__(self, ground: Ground, provider: Provider, *, at_least_once: bool) -> None:
        """Begin with what is there."""
        self.ground = ground
        self.provider = provider
        self.at_least_once = at_least_once
        self.resent: Counter[Step] = Counter()
        """How often an operator had a step sent again: the risk is theirs."""
        self.declared: set[Step] = set()
        """Steps of which an operator said that they were sent."""
        self.skipped: set[Step] = set()
        """Steps that an operator gave up."""
        self._jumps: list[tuple[float, float]] = []
        self._given_up: set[int] = set()
        self._proven: dict[AttemptId, str | None] = {}
        self._seen: dict[int, Row] = {}
        self.look()

    def look(self) -> None:
        """See how everything stands."""
        self.rows = self.ground.rows()
        self.attempts = {(one.row_id, one.fence): one for row in self.rows.values() for one in row.attempts}

    def jumped(self, since: float) -> None:
        """The sequence clock was moved from that moment to now."""
        self._jumps.append((since, self.ground.sequence_now()))

    def restored(self) -> None:
        """The database is another one: what it said before counts no more."""
        self._seen.clear()
        self._proven.clear()
        self._given_up.clear()
        self.look()

    # What a worker does.

    def claimed(self, ids: Sequence[int]) -> None:
        """P4 and P5: only what is due and may go is claimed, and by one worker only."""
        for row_id in ids:
            was = self.rows[row_id]
            assert was.status == RowStatus.PENDING, f"claimed, though {was.status}: {was}"
            assert was.enrollment == EnrollmentStatus.ACTIVE, f"claimed for an enrollment that is {was.enrollment}"
            assert was.due_at <= self.ground.sequence_now(), f"claimed before it was due: {was}"
            assert not open_before(self.rows, was), f"claimed before the step before had ended: {was}"

    def handed_over(self, prepared: Prepared) -> Step:
        """P1, P2, P4, P5 and P8, at the moment of the hand-over; give whose step it is."""
        self.look()
        attempt = (prepared.row.id, prepared.row.fence)
        row = self.rows[prepared.row.id]
        assert (row.status, row.fence) == (RowStatus.SENDING, prepared.row.fence), f"not the holder's: {row}"
        assert attempt in self.attempts, f"handed over before it was written down: {row}"
        assert self.attempts[attempt].outcome is None, f"handed over after it had ended: {row}"
        assert attempt not in self.provider.handed_over, f"one attempt, handed over twice: {row}"
        assert row.is_due, f"early: {row}"
        assert not row.is_barred, f"to a suppressed recipient: {row}"
        assert row.enrollment == EnrollmentStatus.ACTIVE, f"for an enrollment that is {row.enrollment}: {row}"
        self._is_no_guess(row, attempt)
        self._is_in_order(row)
        said = self.attempts[attempt].words.lower()
        assert said.endswith(f"edition {row.version}"), f"{said} of another version: {row}"
        return row.step

    def _is_no_guess(self, row: Row, attempt: AttemptId) -> None:
        """P2 and P3: nothing that was proven is sent again, and what is sent again for P3 repeats its bytes."""
        earlier = [one for name, one in self.attempts.items() if name[0] == row.id and name != attempt]
        assert all(one.outcome != AttemptOutcome.ACCEPTED for one in earlier), f"accepted before: {row}"
        unanswered = [one for one in earlier if one.outcome == AttemptOutcome.UNANSWERED]
        if row.type == "email" and unanswered:
            assert self.at_least_once or self.resent[row.step], f"an email without an answer, sent again: {row}"
            assert self.attempts[attempt].payload == unanswered[-1].payload, f"other bytes: {row}"

    def _is_in_order(self, row: Row) -> None:
        """P5: never before the step before, and its delay after it."""
        earlier = [one for one in open_before(self.rows, row) if not self.resent[one.step]]
        assert not earlier, f"before the step before had ended: {row}"
        for last in before(self.rows, row)[-1:]:
            if last.sent_at is None or last.id in self._given_up or self._jumped_within(last.due_at, last.sent_at):
                continue
            gap = self.ground.sequence_now() - last.sent_at
            assert gap > DELAY - LATE - SLACK, f"only {gap} seconds after the step before: {row}"

    def _jumped_within(self, since: float, until: float) -> bool:
        return any(start <= until and since <= end for start, end in self._jumps)

    # After everything that happens.

    def hold(self) -> None:
        """What holds of all rows at every moment."""
        self.look()
        self._rows_move_as_they_may()
        self._nothing_is_accepted_twice()
        self._enrollments_fit_their_rows()
        self._what_was_proven_is_kept()
        self._what_is_sent_was_accepted()

    def _rows_move_as_they_may(self) -> None:
        for row_id, was in self._seen.items():
            now = self.rows[row_id]
            assert now.fence >= was.fence, f"its fence went back: {now}"
            assert now.step == was.step, f"was {was}, and is {now}"
            if now.status != was.status:
                assert now.fence > was.fence, f"was {was.status} under the same fence: {now}"
                assert was.status in BLOCKING or was.status == RowStatus.REVIEW or self._accepted(now), (
                    f"was {was.status}, which is final: {now}"
                )
            if now.status not in (*BLOCKING, RowStatus.SENT):
                self._given_up.add(row_id)
        self._seen = self.rows

    def _accepted(self, row: Row) -> bool:
        return row.status == RowStatus.SENT and bool(self.provider.of_step(row.step))

    def _nothing_is_accepted_twice(self) -> None:
        """P2 and P3: an email once more where the workspace asked for that, all else once."""
        for step, times in self.provider.times().items():
            once_more = self.at_least_once and step[2] == "mail"
            assert times <= 1 + self.resent[step] + once_more, f"accepted {times} times: {step}"

    def _enrollments_fit_their_rows(self) -> None:
        of_enrollment: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows.values():
            of_enrollment[row.enrollment_id].append(row)
        for rows in of_enrollment.values():
            statuses = {row.status for row in rows}
            match rows[0].enrollment:
                case EnrollmentStatus.COMPLETED:
                    assert not statuses.intersection(BLOCKING), f"completed: {rows}"
                case EnrollmentStatus.ACTIVE:
                    assert statuses.intersection([*BLOCKING, RowStatus.REVIEW]), f"active: {rows}"
                case EnrollmentStatus.CANCELLED:
                    assert not statuses.intersection([RowStatus.PENDING, RowStatus.WAITING]), f"cancelled: {rows}"

    def _what_was_proven_is_kept(self) -> None:
        now = {
            name: attempt.provider_id
            for name, attempt in self.attempts.items()
            if attempt.outcome == AttemptOutcome.ACCEPTED
        }
        for name, provider_id in self._proven.items():
            assert now.get(name) == provider_id, f"{name} was accepted as {provider_id}: {self.attempts[name]}"
        self._proven = now

    def _what_is_sent_was_accepted(self) -> None:
        for row in self.rows.values():
            if row.status == RowStatus.SENT and row.step not in self.declared:
                ids = [one.id for one in self.provider.of_step(row.step)]
                assert row.provider_id in ids, f"sent, and the provider accepted {ids}: {row}"
