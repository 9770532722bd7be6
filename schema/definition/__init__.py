"""The sequence definition: reading and checking the file that people write."""

from schema.definition.calendar import WEEKDAYS, DateAnchor, QuietHours, Window, time_of_day
from schema.definition.definition import Definition
from schema.definition.delay import Delay, parse_delay
from schema.definition.duration import parse_duration
from schema.definition.json_schema import json_schema
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean
from schema.definition.reading import MAX_SMS, parse
from schema.definition.steps import EmailStep, SmsStep, Step

__all__ = [
    "MAX_SMS",
    "WEEKDAYS",
    "DateAnchor",
    "Definition",
    "Delay",
    "EmailStep",
    "InvalidDefinition",
    "Problem",
    "QuietHours",
    "SmsStep",
    "Step",
    "Window",
    "did_you_mean",
    "json_schema",
    "parse",
    "parse_delay",
    "parse_duration",
    "time_of_day",
]
