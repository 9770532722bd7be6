"""A file that names a sequence which does not exist is warned of, wherever it names it."""

from schema.definition import parse, unknown_sequences

FILE = """sequence: one
goal: {enrolled_in: won}
steps:
  - {key: go, type: action, enroll_in: tow}
  - {key: out, type: action, exit_from: gone}
  - key: asked
    type: condition
    if: {any: [{not: {enrolled_in: customers}}, {attribute: {enrolled_in: nothing}}]}
    then:
      - {key: within, type: action, enroll_in: lost}
  - {key: until, type: wait, until: {enrolled_in: later, within: 2 days}}
  - {key: own, type: action, set: {enroll_in: nothing}}
"""


def test_each_place_is_named_with_its_line_and_step() -> None:
    parse(FILE)
    found = unknown_sequences(FILE, {"one", "two"})
    assert [(problem.line, problem.step, problem.message.split(":")[0]) for problem in found] == [
        (2, None, "'enrolled_in'"),
        (4, "go", "'enroll_in'"),
        (5, "out", "'exit_from'"),
        (8, "asked", "'enrolled_in'"),
        (10, "within", "'enroll_in'"),
        (11, "until", "'enrolled_in'"),
    ]
    assert found[1].message == (
        "'enroll_in': there is no sequence 'tow' (did you mean 'two'?): until there is, nobody is enrolled, and the"
        " step fails; correct the key, or apply that sequence too"
    )


def test_those_that_exist_are_left_alone() -> None:
    assert unknown_sequences(FILE, {"won", "tow", "gone", "customers", "lost", "later"}) == []
