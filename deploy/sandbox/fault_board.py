"""The faults in force: which of them strikes now."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from random import Random

from deploy.sandbox.fault import FaultReport, FaultSpec, Kind, Stage
from deploy.sandbox.ledger import ChannelName


class Fault:
    """A fault in force, with its count and its dice."""

    def __init__(self, number: int, spec: FaultSpec) -> None:
        """Put it in force."""
        self.id = f"{spec.kind}-{number}"
        self.spec = spec
        self.hits = 0
        self._dice = Random(spec.seed)  # noqa: S311 (repeatable on purpose)

    @property
    def left(self) -> int | None:
        """How often it will still strike; None: until it is deleted."""
        return None if self.spec.times is None else self.spec.times - self.hits

    def strikes(self, to: str | None) -> bool:
        """Whether it strikes at this request; counts it if so."""
        spec = self.spec
        if self.left == 0:
            return False
        if spec.to is not None and spec.to != to:
            return False
        if spec.to_contains is not None and (to is None or spec.to_contains not in to):
            return False
        if spec.share is not None and self._dice.random() >= spec.share:
            return False
        self.hits += 1
        return True

    def report(self) -> FaultReport:
        """What it is and how often it struck."""
        return FaultReport(**self.spec.model_dump(), id=self.id, hits=self.hits, left=self.left)


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to one request at one stage: first a delay, then, perhaps, a fault."""

    delay: float
    fault: Fault | None


class FaultBoard:
    """All faults, in the order in which they came; at each stage latencies add up and the first other one decides."""

    def __init__(self) -> None:
        """Begin without a fault."""
        self._numbers = count(1)
        self._faults: dict[str, Fault] = {}
        self._by_place: dict[tuple[ChannelName, Stage], list[Fault]] = {}

    def add(self, spec: FaultSpec) -> Fault:
        """Put a fault in force."""
        fault = Fault(next(self._numbers), spec)
        self._faults[fault.id] = fault
        self._arrange()
        return fault

    def remove(self, fault_id: str | None = None) -> list[Fault]:
        """End a fault, or all; returns those that ended."""
        if fault_id is None:
            ended = list(self._faults.values())
        else:
            ended = [fault for fault in [self._faults.get(fault_id)] if fault is not None]
        for fault in ended:
            del self._faults[fault.id]
        self._arrange()
        return ended

    def reports(self) -> list[FaultReport]:
        """Every fault that was not deleted, the oldest first."""
        return [fault.report() for fault in self._faults.values()]

    def refuses(self, channel: ChannelName) -> bool:
        """Whether nobody is to listen."""
        return any(fault.spec.kind is Kind.REFUSE for fault in self._by_place.get((channel, Stage.CONNECT), ()))

    def pick(self, channel: ChannelName, stage: Stage, to: str | None = None) -> Strike | None:
        """What strikes at this request at this stage; None is the quick answer when nothing does."""
        faults = self._by_place.get((channel, stage))
        if faults is None:
            return None
        delay = 0.0
        for fault in faults:
            if fault.spec.kind is Kind.REFUSE or not fault.strikes(to):
                continue
            if fault.spec.kind is not Kind.LATENCY:
                return Strike(delay, fault)
            delay += fault.spec.seconds or 0.0
        return Strike(delay, None) if delay else None

    def _arrange(self) -> None:
        by_place: defaultdict[tuple[ChannelName, Stage], list[Fault]] = defaultdict(list)
        for fault in self._faults.values():
            by_place[fault.spec.channel, fault.spec.where].append(fault)
        self._by_place = dict(by_place)
