"""How a row that was handed over ends."""

import random

from engine.outbox.settle import Ending
from engine.rules.ending import SENT, Verdict, judge
from engine.rules.outcome import Outcome
from schema.states import AttemptOutcome
from workers.delivery.prepared import Prepared


def verdict_on(prepared: Prepared, outcome: Outcome) -> Verdict:
    """What the rules make of it."""
    if outcome.outcome is AttemptOutcome.ACCEPTED:
        return SENT
    return judge(outcome, prepared.standing(), random.random())  # noqa: S311 (spreads tries, hides nothing)


def ending_of(prepared: Prepared, outcome: Outcome, verdict: Verdict) -> Ending:
    """What is to be written down."""
    return Ending(
        prepared.row.id,
        prepared.row.fence,
        prepared.row.channel,
        verdict.status,
        verdict.reason,
        verdict.tries,
        verdict.delay,
        outcome.outcome,
        outcome.provider_id,
        outcome.error_code,
        outcome.detail,
        outcome.suppress,
        verdict.exit_reason,
        outcome.pauses,
    )
