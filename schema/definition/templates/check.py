"""What is wrong with a template, before anything is sent: it doesn't parse, or names what isn't there."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from liquid import Environment
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.static_analysis import Variable

from schema.definition.problem import did_you_mean, quoted
from schema.definition.templates.environment import environment, parse_template
from schema.definition.templates.filters import NAMES
from schema.definition.templates.scan import TemplateError, line_of
from schema.definition.templates.walk import expressions
from schema.definition.templates.work import MeteredTemplate

#: What a template may name; of `custom` anything: the columns of the file, the attributes of the contact.
VARIABLES: Final = {
    "contact": ("first_name", "last_name", "full_name", "email", "phone", "external_id", "timezone"),
    "sender": ("name", "email", "phone"),
    "sequence": ("key", "name"),
}

#: What a template of an email may name by itself.
UNSUBSCRIBE_URL: Final = "unsubscribe_url"
_ROOTS: Final = (*VARIABLES, "custom")
_NAMES: Final = tuple(f"{root}.{name}" for root, names in VARIABLES.items() for name in names)


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One thing that is wrong with a template."""

    line: int
    """The line of the template, from 1."""
    message: str


@dataclass(frozen=True, slots=True)
class CheckedTemplate:
    """What is known of a template without rendering it."""

    problems: tuple[TemplateProblem, ...]
    least: str
    """The text that is there whatever the data: outside of all markup."""


def check_template(source: str, *, html: bool = False, email: bool = False) -> CheckedTemplate:
    """Find all that is wrong with a template; if it doesn't parse, only that. `email`: it is a part of an email."""
    try:
        template = parse_template(source, html=html)
        problems = [*_unknown_variables(template, source, email), *_filters(template, environment(html=html), source)]
    except TemplateError as error:
        return CheckedTemplate((TemplateProblem(error.line, f"the template doesn't parse: {error}"),), "")
    least = "".join(node.text for node in template.nodes if isinstance(node, ContentNode))
    return CheckedTemplate(tuple(dict.fromkeys(problems)), least)


def _unknown_variables(template: MeteredTemplate, source: str, email: bool) -> Iterator[TemplateProblem]:
    for found in template.analyze(include_partials=False).globals.values():
        for variable in found:
            if email and variable.segments == [UNSUBSCRIBE_URL]:
                continue
            if (message := _variable(variable)) is not None:
                yield TemplateProblem(line_of(source, variable.span.index), message)


def _variable(variable: Variable) -> str | None:
    root, *rest = variable.segments
    written = str(variable)
    if root == "custom":
        return None if rest else "'custom' is not a text: name an attribute, such as custom.city"
    if isinstance(root, str) and root in VARIABLES:
        names = VARIABLES[root]
        if not rest:
            return f"{root!r} is not a text: name a part of it, such as {root}.{names[0]}"
        if rest[0] in names and rest[1:] in ([], ["size"]):
            return None
        hint = did_you_mean(written, [f"{root}.{name}" for name in names])
        return f"unknown variable {quoted(written)}{hint}: {root} has {', '.join(names)}"
    bare = [name for name in _NAMES if name.endswith(f".{written}")]
    hint = f" (did you mean {bare[0]!r}?)" if bare else did_you_mean(written, [*_NAMES, *_ROOTS] if rest else _ROOTS)
    return f"unknown variable {quoted(written)}{hint}: write contact.*, sender.*, sequence.*, or custom.* for your own"


def _filters(template: MeteredTemplate, rules: Environment, source: str) -> Iterator[TemplateProblem]:
    for expression in expressions(template):
        if not isinstance(expression, FilteredExpression):
            continue
        for used in expression.filters or ():
            line = line_of(source, used.token.start_index)
            if used.name not in rules.filters:
                hint = did_you_mean(used.name, NAMES)
                yield TemplateProblem(line, f"unknown filter {used.name!r}{hint}: the filters are {', '.join(NAMES)}")
                continue
            function = rules.filters[used.name]
            names = [argument.name for argument in used.args if isinstance(argument, KeywordArgument)]
            given = ["environment"] if getattr(function, "with_environment", False) else []
            try:
                inspect.signature(function).bind(
                    None, *[None] * (len(used.args) - len(names)), **dict.fromkeys([*names, *given])
                )
            except TypeError as error:
                yield TemplateProblem(line, f"the filter {used.name!r} can't be used so: {error}")
