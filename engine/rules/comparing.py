"""Whether one variant does better than another, as far as the numbers show it, and no further."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Final

#: So many must have taken each of two variants before they are compared.
LEAST: Final = 100

#: So many of each must be expected to do it, and not to do it, for the test to hold.
LEAST_EXPECTED: Final = 5

#: How seldom a difference is told that is none, over all the comparisons of a measure.
ERROR: Final = 0.05

#: The quantile of the normal distribution for an interval of 95%.
Z: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many did something."""

    number: int
    of: int

    @property
    def rate(self) -> float | None:
        """The rate that was seen; None: nobody could have."""
        return self.number / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true rate lies, in 95 of 100 cases (Wilson's interval)."""
        if not self.of:
            return None
        rate, spread = self.number / self.of, Z * Z / self.of
        middle = (rate + spread / 2) / (1 + spread)
        half = Z / (1 + spread) * sqrt(rate * (1 - rate) / self.of + spread / (4 * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a comparison by one measure shows."""

    best: str | None
    """The variant that does better than every other; None: no difference is shown."""
    says: str


def chance(one: Share, other: Share) -> float:
    """How likely a difference as large as this is, were there none (two-proportion z-test, two-sided)."""
    if not one.of or not other.of:
        return 1.0
    together = (one.number + other.number) / (one.of + other.of)
    variance = together * (1 - together) * (1 / one.of + 1 / other.of)
    if variance == 0.0:
        return 1.0
    return erfc(abs(one.number / one.of - other.number / other.of) / sqrt(2 * variance))


def compare(shares: Mapping[str, Share]) -> Finding:
    """Tell which variant does better than every other, if the numbers show that."""
    few = sorted(name for name, share in shares.items() if share.of < LEAST)
    if few:
        return Finding(None, f"no difference shown yet: fewer than {LEAST} have taken {', '.join(few)}")
    ranked = sorted(shares, key=lambda name: (-(shares[name].rate or 0.0), name))
    best, others = ranked[0], ranked[1:]
    if not all(_is_enough(shares[best], shares[other]) for other in others):
        return Finding(None, "no difference shown yet: too few did it for a test to hold")
    chances = [chance(shares[best], shares[other]) for other in others]
    # The best is chosen by looking at all of them, so any two may turn out as the pair.
    pairs = len(shares) * (len(shares) - 1) / 2
    likely = min(1.0, max(chances, default=1.0) * pairs)
    if likely >= ERROR:
        return Finding(None, "no difference shown yet")
    return Finding(best, f"{best} does better than {', '.join(others)} (p = {likely:.2g})")


def _is_enough(one: Share, other: Share) -> bool:
    together = (one.number + other.number) / (one.of + other.of)
    return all(min(together, 1 - together) * share.of >= LEAST_EXPECTED for share in (one, other))
