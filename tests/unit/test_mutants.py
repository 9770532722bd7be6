"""The mutants: each edit fits the code as it is, and its test is there."""

import pytest

from deploy.mutants.mutant import Mutant, Rotten
from deploy.mutants.table import MUTANTS
from deploy.mutants.tree import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits(mutant: Mutant) -> None:
    mutant.check(ROOT)


def test_no_two_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(("text", "times"), [("", 0), ("guard guard", 2)])
def test_an_edit_must_fit_exactly_once(text: str, times: int) -> None:
    mutant = Mutant("name", "off", "file.py", "guard", "", ())
    with pytest.raises(Rotten, match=f"'guard' {times} times"):
        mutant.applied_to(text)


def test_an_edit_changes_something() -> None:
    with pytest.raises(Rotten, match="changes nothing"):
        Mutant("name", "off", "file.py", "guard", "guard", ()).applied_to("guard")
