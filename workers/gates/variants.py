"""Variants that are due: the contact's is taken."""

from engine.outbox.advance import GateEnd
from engine.rules.variants import choose
from schema.definition import VariantsStep
from schema.states import RowStatus
from workers.gates.facing import Decision, Facing


def take_variant(facing: Facing) -> Decision:
    """Take the way that is this contact's."""
    step, held = facing.place.step, facing.held
    if not isinstance(step, VariantsStep):
        raise TypeError(f"step {step.key} has no variants")
    name = choose(step.weights, held.sequence_id, step.key, held.contact_id)
    return Decision(GateEnd(facing.place.order, RowStatus.DONE, f"variant {name}", name))
