"""Which variant a contact gets: by a hash, so that it is the same each time, and the shares are as the weights say."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

#: How finely the contacts are spread.
BITS: Final = 64


def choose(weights: Mapping[str, int], sequence_id: int, key: str, contact_id: int) -> str:
    """The variant of a contact at a step of a sequence, whatever the version and however often it is enrolled.

    It keeps the variant as long as the names and weights stay; other steps spread the same contacts otherwise.

    Raises:
        ValueError: all weights are 0.
    """
    total = sum(weights.values())
    if total <= 0:
        raise ValueError("all weights are 0")
    digest = sha256(f"{sequence_id}/{key}/{contact_id}".encode()).digest()
    place = int.from_bytes(digest[: BITS // 8], "big") * total >> BITS
    for name in sorted(weights):
        place -= weights[name]
        if place < 0:
            return name
    raise AssertionError("a place is below the sum of the weights")
