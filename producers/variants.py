"""What came of the variants of a sequence, and whether one does better."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.errors import NotFound
from engine.outbox.variants import Counts, count_variants
from engine.rules.comparing import Finding, Share, compare
from producers.sequences import find_sequence
from schema.definition import AnyStep, Definition, VariantsStep
from schema.states import MESSAGE_TYPES

VERSION: Final = "SELECT id, definition FROM sequence_versions WHERE sequence_id = %s AND number = %s"

#: What a variant is judged by. Opens are none of it: proxies and scanners open too, and not all of them are known.
DECISIVE: Final = ("clicked", "replied")

#: Of all enrollments that took a variant.
OF_TAKEN: Final = ("opened", "opened_by_machine", "clicked", "replied")


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the ways, and what came of it."""

    name: str
    weight: int
    counts: Counts
    shares: dict[str, Share]


@dataclass(frozen=True, slots=True)
class Split:
    """A step with variants."""

    step: str
    variants: list[Variant]
    findings: dict[str, Finding]
    """By what they are judged by."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The steps of a version that have variants."""

    sequence: str
    version: int
    steps: list[Split]


def compare_variants(session: Session, workspace_id: int, key: str, version: int | None = None) -> Splits:
    """Count what came of each variant of a version; of the newest one, unless told otherwise.

    Raises:
        NotFound: there is no such sequence, or no such version of it.
    """
    found = find_sequence(session, workspace_id, key)
    number, version_id, definition = found.number, found.version_id, found.definition
    if version is not None and version != number:
        row = session.execute(VERSION, (found.sequence_id, version)).fetchone()
        if row is None:
            raise NotFound(f"sequence {key!r} has no version {version}: the newest is {number}")
        number, version_id, definition = version, row[0], Definition.restore(row[1])
    steps = [
        _split(session, workspace_id, version_id, step) for step in definition.walk() if isinstance(step, VariantsStep)
    ]
    return Splits(key, number, steps)


def _split(session: Session, workspace_id: int, version_id: int, step: VariantsStep) -> Split:
    within = [key for steps in step.branches.values() for key in _messages(steps)]
    counted = count_variants(session, workspace_id, version_id, step.key, within)
    variants = [
        Variant(name, weight, counts, _shares(counts))
        for name, weight in sorted(step.weights.items())
        for counts in (counted.get(name, Counts()),)
    ]
    judged = {variant.name: variant for variant in variants if variant.weight or variant.counts.taken}
    findings = {
        measure: compare({name: variant.shares[measure] for name, variant in judged.items()}) for measure in DECISIVE
    }
    return Split(step.key, variants, findings)


def _messages(steps: tuple[AnyStep, ...]) -> Iterator[str]:
    for step in steps:
        if step.type in MESSAGE_TYPES:
            yield step.key
        for branch in step.branches.values():
            yield from _messages(branch)


def _shares(counts: Counts) -> dict[str, Share]:
    """Of the messages how many were delivered, if the provider tells; of the enrollments how many did what."""
    of_taken = {name: Share(getattr(counts, name), counts.taken) for name in OF_TAKEN}
    return {"delivered": Share(counts.delivered, counts.sent if counts.reported else 0), **of_taken}
