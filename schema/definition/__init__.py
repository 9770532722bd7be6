"""The sequence definition: reading and checking the file that people write."""

from schema.definition.actions import ActionStep
from schema.definition.calendar import WEEKDAYS, DateAnchor, Window, time_of_day
from schema.definition.definition import Definition
from schema.definition.delay import Delay, parse_delay
from schema.definition.duration import parse_duration, parse_durations
from schema.definition.gates import ConditionStep, WaitStep
from schema.definition.json_schema import json_schema
from schema.definition.kinds import Step
from schema.definition.lint import lint
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean
from schema.definition.questions import Question, TimedQuestion
from schema.definition.quiet_hours import QuietHours
from schema.definition.reading import MAX_SMS, parse
from schema.definition.sequences_named import unknown_sequences
from schema.definition.steps import AnyStep, EmailStep, MessageStep, SmsStep
from schema.definition.tasks import TaskStep
from schema.definition.variants import VariantsStep

__all__ = [
    "MAX_SMS",
    "WEEKDAYS",
    "ActionStep",
    "AnyStep",
    "ConditionStep",
    "DateAnchor",
    "Definition",
    "Delay",
    "EmailStep",
    "InvalidDefinition",
    "MessageStep",
    "Problem",
    "Question",
    "QuietHours",
    "SmsStep",
    "Step",
    "TaskStep",
    "TimedQuestion",
    "VariantsStep",
    "WaitStep",
    "Window",
    "did_you_mean",
    "json_schema",
    "lint",
    "parse",
    "parse_delay",
    "parse_duration",
    "parse_durations",
    "time_of_day",
    "unknown_sequences",
]
