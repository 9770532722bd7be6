"""An action that is due is performed: once, in the transaction that says so."""

from engine.outbox.actions import end_enrollments, enroll_in, exit_from, set_attributes, tag
from engine.outbox.advance import GateEnd, end_row
from engine.outbox.decide import heed
from engine.wakeups import Due
from schema.definition import ActionStep
from schema.states import RowStatus
from workers.gates.facing import Decision, Facing


def perform(facing: Facing) -> Decision:
    """Do what the step says."""
    step = facing.place.step
    if not isinstance(step, ActionStep):
        raise TypeError(f"step {step.key} is no action")
    session, held = facing.session, facing.held
    if step.exit:
        return _leave(facing)
    if step.enroll_in is not None:
        made = enroll_in(session, held, step.enroll_in)
        end = GateEnd(facing.place.order, made.status, made.reason)
        return Decision(end, wakeups=[*made.wakeups, *_heed(facing)])
    if step.exit_from is not None:
        count = exit_from(session, held, step.exit_from)
        return Decision(_done(facing, f"left {step.exit_from}" if count else f"was not in {step.exit_from}"))
    if step.attributes:
        set_attributes(session, held.contact_id, step.attributes)
        return Decision(_done(facing, f"set {', '.join(step.attributes)}"), wakeups=_heed(facing))
    if step.outward is not None:
        raise TypeError(f"step {step.key} tells the world outside: that is no matter of a transaction")
    name = step.tag or step.untag or ""
    tag(session, held.contact_id, name, remove=step.tag is None)
    return Decision(_done(facing, f"tagged {name}" if step.tag else f"untagged {name}"), wakeups=_heed(facing))


def _done(facing: Facing, reason: str) -> GateEnd:
    return GateEnd(facing.place.order, RowStatus.DONE, reason)


def _heed(facing: Facing) -> list[Due]:
    """Others may have waited for that: gates and goals of the contact in other sequences."""
    return heed(facing.session, facing.held.contact_id, facing.now, but=facing.held.id)


def _leave(facing: Facing) -> Decision:
    """Done itself, it ends the rest."""
    if end_row(facing.session, facing.steps[facing.place.order], _done(facing, "ended the enrollment"), facing.now):
        end_enrollments(facing.session, [facing.held.id])
    return Decision()
