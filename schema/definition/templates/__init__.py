"""Templates: Liquid, within bounds."""

from schema.definition.templates.check import VARIABLES, CheckedTemplate, TemplateProblem, check_template
from schema.definition.templates.environment import parse_template
from schema.definition.templates.plain import PlainTemplate
from schema.definition.templates.scan import TemplateError, line_of
from schema.definition.templates.work import MAX_TEXT, MeteredTemplate

__all__ = [
    "MAX_TEXT",
    "VARIABLES",
    "CheckedTemplate",
    "MeteredTemplate",
    "PlainTemplate",
    "TemplateError",
    "TemplateProblem",
    "check_template",
    "line_of",
    "parse_template",
]
