"""What is known of an enrollment and its contact when a question is judged. Moments: epoch seconds, sequence time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schema.states import RowStatus


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that was heard of the contact."""

    kind: str
    """schema.states.SignalKind."""
    at: float
    step: str | None = None
    """The key of the message that it is about."""
    link: str | None = None
    """What was clicked."""
    name: str | None = None
    """Of an event of one's own."""
    machine: str | None = None
    """The scanner or proxy that did it: no person."""


@dataclass(frozen=True, slots=True)
class StepFact:
    """How a step stands."""

    status: RowStatus
    outcome: str | None = None
    delivery: str | None = None
    """What the provider last said of its delivery."""
    sent_at: float | None = None
    counts_from: float | None = None
    """Of a message that was handed over: when, moved by pauses since."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that questions can be about."""

    enrolled_at: float
    steps: Mapping[str, StepFact] = field(default_factory=dict)
    """By their keys."""
    signals: Sequence[Signal] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    """The keys of the sequences in which the contact is now."""
