"""The way of one enrollment through its program, by the rules that workers go by. Nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.rules.facts import Facts, Signal, StepFact
from engine.rules.judging import judge
from engine.rules.planner import Standing, Timed, Timing, advance
from engine.rules.program import Place, Program
from engine.rules.question_time import over_at
from schema.definition import (
    ActionStep,
    ConditionStep,
    EmailStep,
    SmsStep,
    TaskStep,
    TimedQuestion,
    VariantsStep,
    WaitStep,
)
from schema.definition.gates import ELSE, MET, THEN, TIMED_OUT
from schema.states import RowStatus


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken for granted. Moments are epoch seconds of sequence time."""

    signals: Sequence[Signal] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """What gates come to, by the keys of their steps; a condition, a wait or a variant is not asked then."""
    task_seconds: float = 0.0
    """How long people take for a task once it is due."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What would become of a step."""

    order: int
    key: str
    type: str
    status: RowStatus
    at: float | None
    """Epoch seconds; None: it is not taken."""
    outcome: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _End:
    """How a step ends."""

    at: float
    status: RowStatus
    outcome: str | None = None
    reason: str | None = None
    leaves: bool = False
    """The enrollment ends with it."""


class Rehearsal:
    """An enrollment that goes through its program, with nobody told."""

    def __init__(self, program: Program, timing: Timing, facts: Facts, assumed: Assumed) -> None:
        self._program = program
        self._timing = timing
        self._facts = facts
        self._assumed = assumed
        self._standings: dict[int, Standing] = {}
        self._reasons: dict[int, tuple[str, ...]] = {}
        self._ended: dict[int, float] = {}
        self._now = facts.enrolled_at
        reasons = program.definition.exit_on if program.definition is not None else ()
        exits = [signal for signal in assumed.signals if signal.kind in reasons]
        self._leaves = min(exits, key=lambda signal: signal.at, default=None)

    def way(self) -> list[Happening]:
        """Go through it from the moment of the enrollment on; every step is told, in the order of the program."""
        self._plan(self._now)
        while (place := self._next()) is not None:
            self._go_through(place)
        return self._told()

    def _plan(self, now: float) -> None:
        """What the planner tells now that everything before has ended."""

        def noted(place: Place, before: float) -> Timed:
            timed = self._timing(place, before)
            self._reasons[place.order] = timed.reasons
            return timed

        for change in advance(self._program, self._standings, now, noted):
            self._standings[change.order] = Standing(change.status, change.due_at)
            if change.reason is not None:
                self._reasons[change.order] = (change.reason,)

    def _next(self) -> Place | None:
        """The step whose turn it is."""
        waiting = [order for order, standing in self._standings.items() if standing.status is RowStatus.PENDING]
        return self._program.places[min(waiting) - 1] if waiting else None

    def _go_through(self, place: Place) -> None:
        """Let a step end as it would."""
        due_at = self._standings[place.order].due_at
        self._now = max(self._now, self._now if due_at is None else due_at)
        facts = self._facts
        end = self._end_of(place)
        if self._goal_reached(facts, end.at):
            self._leave("the enrollment has ended: goal")
            return
        if self._leaves is not None and end.at >= self._leaves.at:
            self._leave(f"the enrollment has ended: {self._leaves.kind}")
            return
        self._now = end.at
        self._ended[place.order] = end.at
        self._standings[place.order] = Standing(end.status, due_at, end.outcome)
        if end.reason is not None:
            self._reasons[place.order] = (*self._reasons.get(place.order, ()), end.reason)
        if end.leaves:
            self._leave(f"the enrollment has ended: {place.key}")
        elif place.step.gate:
            self._plan(end.at)

    def _goal_reached(self, facts: Facts, by: float) -> bool:
        """Whether the goal is reached before a step ends: at the enrollment, by what is heard, by a step before."""
        goal = self._program.definition.goal if self._program.definition is not None else None
        if goal is None:
            return False
        facts = replace(facts, signals=self._assumed.signals, steps=self._steps())
        heard = sorted({signal.at for signal in self._assumed.signals if signal.at <= by})
        return any(judge(goal, facts, moment, last=True) for moment in (self._now, *heard))

    def _told(self) -> list[Happening]:
        """All steps as they stand."""
        return [
            Happening(
                place.order,
                place.key,
                place.type,
                standing.status,
                self._ended.get(place.order),
                standing.outcome,
                self._reasons.get(place.order, ()),
            )
            for place in self._program.places
            for standing in (self._standings.get(place.order, Standing(RowStatus.WAITING)),)
        ]

    def _leave(self, reason: str) -> None:
        """Whatever has not ended never happens."""
        for place in self._program.places:
            standing = self._standings.get(place.order)
            if standing is None or not standing.has_ended:
                self._standings[place.order] = Standing(RowStatus.CANCELLED)
                self._reasons[place.order] = (reason,)

    def _end_of(self, place: Place) -> _End:
        assumed = self._assumed.outcomes.get(place.key)
        match place.step:
            case SmsStep() | EmailStep():
                return _End(self._now, RowStatus.SENT)
            case TaskStep():
                return _End(self._now + self._assumed.task_seconds, RowStatus.DONE, assumed)
            case ConditionStep(condition=question):
                return self._decided(question, THEN, ELSE, assumed)
            case WaitStep(until=question) if question is not None:
                return self._decided(question, MET, TIMED_OUT, assumed)
            case VariantsStep(weights=weights):
                heaviest = max(sorted(weights), key=lambda name: weights[name])
                reason = "assumed" if assumed else f"the heaviest of {', '.join(sorted(weights))}"
                return _End(self._now, RowStatus.DONE, assumed or heaviest, reason)
            case ActionStep() as action:
                return self._acted(action)
            case _:
                return _End(self._now, RowStatus.DONE)

    def _decided(self, question: TimedQuestion, yes: str, no: str, assumed: str | None) -> _End:
        facts = replace(self._facts, signals=self._assumed.signals, steps=self._steps())
        over = over_at(question, facts, self._now)
        ends = max(over, self._now)
        if assumed is not None:
            return _End(self._now if assumed == yes else ends, RowStatus.DONE, assumed, f"{question}: assumed")
        heard = sorted({signal.at for signal in self._assumed.signals if self._now < signal.at < over})
        for moment in (*([self._now] if self._now < over else []), *heard, over):
            answer = judge(question, facts, moment, last=moment >= over)
            if answer is not None:
                said = f"{question}: {'yes' if answer else 'no'}"
                return _End(max(moment, self._now), RowStatus.DONE, yes if answer else no, said)
        raise AssertionError("at the end of its time a question has an answer")

    def _acted(self, action: ActionStep) -> _End:
        facts = self._facts
        if action.set is not None:
            self._facts = replace(facts, attributes={**facts.attributes, **action.attributes})
        if action.tag is not None:
            self._facts = replace(facts, tags=facts.tags | {action.tag})
        if action.untag is not None:
            self._facts = replace(facts, tags=facts.tags - {action.untag})
        if action.enroll_in is not None:
            self._facts = replace(facts, sequences=facts.sequences | {action.enroll_in})
        if action.exit_from is not None:
            self._facts = replace(facts, sequences=facts.sequences - {action.exit_from})
        reason = None
        if action.webhook is not None:
            reason = f"calls {action.webhook.url}"
        elif action.notify is not None:
            reason = f"writes to {action.notify.to}"
        return _End(self._now, RowStatus.DONE, reason=reason, leaves=bool(action.exit))

    def _steps(self) -> dict[str, StepFact]:
        facts: dict[str, StepFact] = {}
        for place in self._program.places:
            standing = self._standings.get(place.order, Standing(RowStatus.WAITING))
            sent_at = self._ended.get(place.order) if standing.status is RowStatus.SENT else None
            facts[place.key] = StepFact(standing.status, standing.outcome, None, sent_at, sent_at)
        return facts
