"""What people, their services and an operator do."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from engine.errors import InvalidInput, UnderWay
from engine.outbox.leave import leave
from producers.enroll_event import EnrollEvent, write
from producers.inbound import InboundMessage, receive
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment, resume_all, resume_one
from producers.review import DECIDABLE, Decision, decide
from producers.suppressions import suppress
from promises.ground import SEQUENCES
from promises.stage import Enrolled, Stage

PEOPLE = st.integers(1, 4)
PICKS = st.integers(0, 1_000)

#: What people text, and what an operator does.
ACTS = ("STOP", "START", "Who is this?", "cancel", "bar", "edit")
PAUSES = ("enrollments", "long", "everything", "resume", "resume, and the clock ran on")

#: Who steers.
ANN = Operator("default", "ann")

OF_PERSON = "SELECT id FROM enrollments WHERE contact_id = %s AND status IN ('active', 'paused') ORDER BY id"
PAUSED = "SELECT id FROM enrollments WHERE status = 'paused' ORDER BY id"
PAUSED_SEQUENCES = "SELECT key FROM sequences WHERE status = 'paused' ORDER BY key"


def phone(person: int) -> str:
    """The phone of a person."""
    return f"+1{2015550000 + person}"


class ActsOfPeople:
    """Rules of the machine."""

    stage: Stage

    @rule(person=PEOPLE, sequence=st.sampled_from(sorted(SEQUENCES)), again=st.booleans())
    @precondition(lambda self: self.stage.has_compared)
    def enroll(self, person: int, sequence: str, again: bool) -> None:
        """P7: whoever was enrolled before is not enrolled again, by the same event or by one with another key."""
        stage = self.stage
        if (sequence,) in stage.ground.query(PAUSED_SEQUENCES):
            return
        known = stage.enrolled.get((phone(person), sequence))
        key = known.key if known is not None and again else f"event {stage.next_number()}"
        event = EnrollEvent(sequence, email=f"p{person}@example.com", phone=phone(person), idempotency_key=key)
        with stage.ground.database.transaction() as session:
            enrolled = write(session, event)
        assert enrolled.created == (known is None)
        assert known is None or enrolled.enrollment_id == known.id
        stage.enrolled[phone(person), sequence] = Enrolled(enrolled.enrollment_id, key)

    @rule(person=PEOPLE, act=st.sampled_from(ACTS))
    def intervene(self, person: int, act: str) -> None:
        """Somebody sends a text message, or an operator intervenes; P8: an edit changes nothing that runs."""
        ground = self.stage.ground
        with ground.database.transaction() as session:
            match act:
                case "cancel":
                    leave(session, 1, person, "operator")
                case "bar":
                    suppress(session, 1, "sms", phone(person), "operator")
                case "edit":
                    ground.publish_an_edition()
                case says:
                    message = InboundMessage(f"SMin{self.stage.next_number():030}", phone(person), says, None, {})
                    receive(session, ground.tenant(), message)

    @rule(person=PEOPLE, act=st.sampled_from(PAUSES))
    def pause(self, person: int, act: str) -> None:
        """An operator pauses some of it, or resumes all that is paused."""
        ground = self.stage.ground
        match act:
            case "enrollments":
                for (enrollment_id,) in ground.query(OF_PERSON, person):
                    pause_enrollment(ground.database, ANN, enrollment_id)
            case "long" | "everything":
                pause_all(ground.database, ANN, None if act == "everything" else act)
            case _:
                self.resume_everything(keep_times=act != "resume")

    def resume_everything(self, *, keep_times: bool = False) -> None:
        """All that is paused."""
        ground, wakeups = self.stage.ground, self.stage.site.wakeups
        for sequence in (None, *sorted(SEQUENCES)):
            resume_all(ground.database, wakeups, ANN, sequence, keep_times=keep_times)
        for (enrollment_id,) in ground.query(PAUSED):
            resume_one(ground.database, wakeups, ANN, enrollment_id, keep_times=keep_times)

    @rule(pick=PICKS, decision=st.sampled_from(Decision))
    @precondition(lambda self: any(row.status in DECIDABLE for row in self.stage.promises.rows.values()))
    def review(self, pick: int, decision: Decision) -> None:
        """An operator decides a row that is in review or in doubt."""
        promises, ground = self.stage.promises, self.stage.ground
        waiting = [row for row in promises.rows.values() if row.status in DECIDABLE]
        row = waiting[pick % len(waiting)]
        try:
            with ground.database.transaction() as session:
                decide(session, ground.clock, 1, row.id, decision)
        except (InvalidInput, UnderWay):
            assert decision is Decision.RESEND, f"{decision} was refused: {row}"
            return
        if decision is Decision.RESEND:
            promises.resent[row.step] += 1
        elif decision is Decision.SENT:
            promises.declared.add(row.step)
        else:
            promises.skipped.add(row.step)
