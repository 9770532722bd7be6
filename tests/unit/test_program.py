"""A definition as a program."""

from branches import program


def test_steps_are_numbered_in_the_order_of_the_file_and_branches_join_again() -> None:
    made = program("a", {"c": {"then": ["t1", {"d": {"then": ["u"], "else": []}}, "t2"], "else": ["e"]}}, "z")
    assert [(place.order, place.key) for place in made.places] == list(
        enumerate(["a", "c", "t1", "d", "u", "t2", "e", "z"], start=1)
    )
    within = {place.key: [(branch.gate, branch.name) for branch in place.within] for place in made.places}
    assert within == {
        "a": [],
        "c": [],
        "t1": [(2, "then")],
        "d": [(2, "then")],
        "u": [(2, "then"), (4, "then")],
        "t2": [(2, "then")],
        "e": [(2, "else")],
        "z": [],
    }
    assert made.by_key["u"].order == 5
