"""Variants: each contact gets one of several ways, the same one each time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schema.definition.numbers import whole
from schema.definition.steps import KEY_PATTERN, AnyStep

if TYPE_CHECKING:
    from schema.definition.kinds import Step

MOST: Final = 10
MAX_WEIGHT: Final = 1_000_000


class Variant(BaseModel):
    """One of the ways."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Annotated[
        int,
        BeforeValidator(whole),
        Field(strict=True, ge=0, le=MAX_WEIGHT, description="how many get it, beside the other weights"),
    ] = 1
    steps: Annotated[tuple["Step", ...], Field(description="its steps")] = ()


class VariantsStep(AnyStep):
    """Steps for some, and other steps for others; then they go on together."""

    type: Annotated[Literal["variants"], Field(description="the type of the step")]
    variants: Annotated[
        dict[Annotated[str, Field(pattern=KEY_PATTERN)], Variant],
        Field(min_length=2, max_length=MOST, description=f"2 to {MOST}: {{a: {{weight: 1, steps: [...]}}, ...}}"),
    ]

    @property
    def gate(self) -> bool:
        """Which one it is depends on the contact."""
        return True

    @property
    def branches(self) -> Mapping[str, tuple[AnyStep, ...]]:
        """What it decides between, in the order of their names: a database keeps no other."""
        return {name: self.variants[name].steps for name in sorted(self.variants)}

    @property
    def weights(self) -> dict[str, int]:
        """The weight of each."""
        return {name: variant.weight for name, variant in self.variants.items()}
