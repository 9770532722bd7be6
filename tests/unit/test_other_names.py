"""Names that other systems use for types and fields lead to ours."""

import pytest

from schema.definition import InvalidDefinition, parse
from schema.definition.definition import Header
from schema.definition.kinds import MODELS
from schema.definition.other_names import FIELDS, TYPES, field_meant, type_meant
from schema.definition.variants import Variant


def fields(model: type) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}  # type: ignore[attr-defined]


ALL = {name for model in (*MODELS.values(), Header, Variant) for name in fields(model)}


def test_every_hint_names_a_type_or_a_field_that_exists() -> None:
    assert TYPES.keys() <= MODELS.keys()
    assert FIELDS.keys() <= ALL
    assert not {name for names in TYPES.values() for name in names} & MODELS.keys()


@pytest.mark.parametrize(("ours", "theirs"), [(ours, name) for ours, names in TYPES.items() for name in names])
def test_another_name_of_a_type_leads_to_it(ours: str, theirs: str) -> None:
    for written in (theirs, theirs.upper(), theirs.replace("_", " ").title(), theirs.replace("_", "-")):
        assert type_meant(written, MODELS) == f" (did you mean {ours!r}?)"


@pytest.mark.parametrize(("ours", "theirs"), [(ours, name) for ours, names in FIELDS.items() for name in names])
def test_another_name_of_a_field_leads_to_one_that_the_step_has(ours: str, theirs: str) -> None:
    for model in (*MODELS.values(), Header, Variant):
        known = fields(model)
        if theirs in known or ours not in known:
            continue
        hint = field_meant(theirs, known)
        assert any(hint == f" (did you mean {one!r}?)" and theirs in FIELDS[one] for one in known & FIELDS.keys())


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("type: sms, text: Hi", "unknown key 'text' (did you mean 'body'?)"),
        ("type: sms, Body: Hi", "unknown key 'Body' (did you mean 'body'?)"),
        ("type: sms, body: Hi, wait: 2 days", "unknown key 'wait' (did you mean 'delay'?)"),
        ("type: email, subject: Hi, body: Hi", "unknown key 'body' (did you mean 'text'?)"),
        ("type: email, subjectLine: Hi, text: Hi", "unknown key 'subjectLine' (did you mean 'subject'?)"),
        ("type: call, notes: Hi", "unknown key 'notes' (did you mean 'description'?)"),
        ("type: call, assigned_to: nina", "unknown key 'assigned_to' (did you mean 'assignee'?)"),
        ("type: action, enroll: two", "unknown key 'enroll' (did you mean 'enroll_in'?)"),
    ],
)
def test_the_error_asks_about_the_field(step: str, says: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse(f"sequence: a\nsteps:\n  - {{key: x, {step}}}\n")
    assert any(problem.line == 3 and problem.message.startswith(says) for problem in caught.value.problems)
