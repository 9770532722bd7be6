"""The format of a sequence file as JSON Schema, for editors."""

from typing import Any

from schema.definition.definition import Definition
from schema.definition.kinds import MODELS


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file; templates and what depends on several steps it can't check."""
    schema = Definition.model_json_schema()
    for model in set(MODELS.values()):
        fields = schema["$defs"][model.__name__]["properties"]
        fields["delay"]["default"] = "0 minutes"
        if "max_lateness" in fields:
            fields["max_lateness"]["default"] = "24 hours"
        fields.get("media_url", {}).pop("default", None)
        if "template" in fields:
            fields["template"].pop("default", None)
    _let_templates_give(schema["$defs"])
    schema["$defs"]["DateAnchor"]["properties"]["by"]["default"] = "0 days"
    for name, hours in {"Window": ("00:00", "24:00"), "QuietHours": ("20:00", "09:00")}.items():
        fields = schema["$defs"][name]["properties"]
        fields["from"]["default"], fields["to"]["default"] = hours
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Cadenza sequence"}


def _let_templates_give(models: dict[str, Any]) -> None:
    """Let a step leave out what it must say without a template."""
    for name, ways in {"SmsStep": [["body"]], "EmailStep": [["subject", "text"], ["subject", "html"]]}.items():
        given = {field for way in ways for field in way}
        models[name]["required"] = [field for field in models[name]["required"] if field not in given]
        models[name]["anyOf"] = [{"required": ["template"]}, *({"required": way} for way in ways)]
