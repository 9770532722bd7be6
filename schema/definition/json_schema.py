"""The format of a sequence file as JSON Schema, for editors."""

from typing import Any

from schema.definition.definition import Definition
from schema.definition.steps import MODELS


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file; templates and what depends on several steps it can't check."""
    schema = Definition.model_json_schema()
    for model in MODELS.values():
        fields = schema["$defs"][model.__name__]["properties"]
        fields["delay"]["default"] = "0 minutes"
        fields["max_lateness"]["default"] = "24 hours"
        fields.get("media_url", {}).pop("default", None)
    schema["$defs"]["DateAnchor"]["properties"]["by"]["default"] = "0 days"
    for name, hours in {"Window": ("00:00", "24:00"), "QuietHours": ("20:00", "09:00")}.items():
        fields = schema["$defs"][name]["properties"]
        fields["from"]["default"], fields["to"]["default"] = hours
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Cadenza sequence"}
