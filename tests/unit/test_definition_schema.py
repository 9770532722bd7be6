"""The JSON Schema that editors use: it takes what is right, and refuses what has the wrong shape."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.definition import json_schema, parse

EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))

TYPES = {
    "string": str,
    "array": list,
    "object": dict,
    "boolean": bool,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}


def errors(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> list[str]:
    """The keywords of JSON Schema that ours has, and a failure for any other."""
    found: list[str] = []
    for keyword, expected in schema.items():
        match keyword:
            case "$ref":
                found += errors(value, root["$defs"][expected.rsplit("/", 1)[1]], root, path)
            case "type":
                found += [] if isinstance(value, TYPES[expected]) else [f"{path}: not of type {expected}"]
            case "const":
                found += [] if value == expected else [f"{path}: not {expected}"]
            case "enum":
                found += [] if value in expected else [f"{path}: not in {expected}"]
            case "pattern" if isinstance(value, str):
                found += [] if re.search(expected, value) else [f"{path}: {value!r} does not match {expected}"]
            case "minLength" | "minItems" if isinstance(value, (str, list)):
                found += [] if len(value) >= expected else [f"{path}: shorter than {expected}"]
            case "maxLength" | "maxItems" if isinstance(value, (str, list)):
                found += [] if len(value) <= expected else [f"{path}: longer than {expected}"]
            case "items" if isinstance(value, list):
                for number, item in enumerate(value):
                    found += errors(item, expected, root, f"{path}/{number}")
            case "properties" if isinstance(value, dict):
                for name in expected.keys() & value.keys():
                    found += errors(value[name], expected[name], root, f"{path}/{name}")
            case "required" if isinstance(value, dict):
                found += [f"{path}: {name} is missing" for name in expected if name not in value]
            case "additionalProperties" if isinstance(value, dict):
                others = value.keys() - schema.get("properties", {}).keys()
                if expected is False:
                    found += [f"{path}: {name} is unknown" for name in others]
                else:
                    for name in others:
                        found += errors(value[name], expected, root, f"{path}/{name}")
            case "minimum" | "maximum" if isinstance(value, int):
                within = value >= expected if keyword == "minimum" else value <= expected
                found += [] if within else [f"{path}: {keyword} {expected}"]
            case "minimum" | "maximum" | "maxProperties":
                pass
            case "anyOf":
                found += [] if any(not errors(value, option, root) for option in expected) else [f"{path}: anyOf"]
            case "oneOf":
                found += [] if sum(not errors(value, option, root) for option in expected) == 1 else [f"{path}: oneOf"]
            case "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "discriminator":
                pass
            case "pattern" | "minLength" | "maxLength" | "minItems" | "maxItems" | "items" | "properties" | "required":
                pass  # of another type: these say nothing then
            case "additionalProperties":
                pass
            case _:
                pytest.fail(f"this test knows nothing of {keyword}")
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_right(path: Path) -> None:
    schema = json_schema()
    assert errors(yaml.safe_load(path.read_text(encoding="utf-8")), schema, schema) == []
    assert parse(path.read_text(encoding="utf-8")).sequence == path.stem


def test_there_are_the_examples() -> None:
    lengths = {}
    for path in EXAMPLES:
        steps = list(parse(path.read_text(encoding="utf-8")).walk())
        lengths[path.name] = (len(steps), sum(step.delay.total_seconds() for step in steps) / 86_400)
        bodies = [getattr(step, "body", None) or getattr(step, "text", None) or step.key for step in steps]
        assert len(set(bodies)) == len(bodies)
    assert lengths["sms-follow-up.yaml"][0] == 6
    assert lengths["sms-follow-up.yaml"][1] <= 24
    assert lengths["email-and-sms.yaml"] == (6, 14)
    assert lengths["welcome.yaml"] == (5, 4)
    assert lengths["demo-follow-up.yaml"] == (7, 14)


STEP = {"key": "x", "type": "sms", "body": "hi"}


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": "Bad Key"},
        {"sequnce": "a"},
        {"tags": "demo"},
        {"reentry": "twice"},
        {"reentry": {"after": "30"}},
        {"reentry": {"in": "30 days"}},
        {"exit_on": ["quit"]},
        {"steps": []},
        {"steps": [{**STEP, "delay": "5"}]},
        {"steps": [{**STEP, "delay": "5 seconds"}]},
        {"steps": [{**STEP, "delay": 5}]},
        {"steps": [{**STEP, "body": 5}]},
        {"steps": [{**STEP, "type": "call"}]},
        {"steps": [{"key": "x", "type": "call", "priority": "urgent"}]},
        {"steps": [{**STEP, "media_url": "ftp://a"}]},
        {"timezone": 5},
        {"window": {"days": ["monday"]}},
        {"window": {"days": []}},
        {"window": {"until": "17:00"}},
        {"window": "always"},
        {"quiet_hours": {"from": "8pm"}},
        {"steps": [{**STEP, "at": "9 am"}]},
        {"steps": [{**STEP, "delay": "3 busy days"}]},
        {"steps": [{**STEP, "before": {"by": "3 days"}}]},
        {"steps": [{**STEP, "if_late": "never"}]},
        {"steps": [{**STEP, "media_url": ["https://a"] * 11}]},
        {"steps": [{**STEP, "stop_on_failure": "yes"}]},
        {"steps": [{"key": "x", "type": "email", "subject": "hi"}]},
        {"steps": [{"key": "x", "type": "email", "text": "hi"}]},
    ],
)
def test_the_schema_refuses_what_has_the_wrong_shape(change: dict[str, Any]) -> None:
    schema = json_schema()
    right = {"sequence": "a", "steps": [STEP]}
    assert errors(right, schema, schema) == []
    assert errors({**right, **change}, schema, schema) != []


def test_the_schema_takes_what_is_said_of_the_calendar() -> None:
    schema = json_schema()
    step = {**STEP, "at": "09:00", "before": {"attribute": "renewal", "by": "3 business days"}, "if_late": "shift"}
    window = {"days": ["mon"], "from": "09:00", "to": "24:00", "holidays": ["US", "DE-BY"]}
    hours = {"timezone": "Europe/Paris", "window": window, "quiet_hours": {"from": "20:00"}}
    off = {**STEP, "key": "y", "after_start": "2 weeks", "window": "off", "quiet_hours": "off"}
    assert errors({"sequence": "a", **hours, "steps": [step, off]}, schema, schema) == []
    assert errors({"sequence": "a", "window": {"holidays": "US"}, "steps": [step]}, schema, schema) == []


def test_the_defaults_of_the_schema_are_written_as_in_a_file() -> None:
    schema = json_schema()
    for step in ("SmsStep", "EmailStep"):
        fields = schema["$defs"][step]["properties"]
        for name, field in fields.items():
            if "default" in field:
                assert errors(field["default"], field, schema) == [], name
