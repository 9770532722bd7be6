"""Liquid as Cadenza has it: few tags, few filters, no files, bounded work."""

from functools import cache
from typing import Final, NoReturn

from liquid import Environment, Token, Undefined
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.exceptions import LiquidError
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_ILLEGAL, TOKEN_OUTPUT

from schema.definition.problem import quoted
from schema.definition.templates import filters
from schema.definition.templates.scan import TAGS, TemplateError, line_of, scan
from schema.definition.templates.walk import expressions
from schema.definition.templates.work import MeteredTemplate

#: Items of a range such as (1..10).
MAX_RANGE: Final = 1_000
#: What stands in a preview for a value that is missing.
MISSING: Final = "[{} is missing]"

MAX_LOOPS: Final = 10_000
"""Iterations of a loop, times those of the loops around it."""

#: The kind that stands for: the error is in the markup before this token.
_AFTER: Final = "after"


class _Environment(Environment):
    template_class = MeteredTemplate
    loop_iteration_limit = MAX_LOOPS

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        kept = (TOKEN_CONTENT, TOKEN_OUTPUT, TOKEN_ILLEGAL, *TAGS)
        self.tags = {name: tag for name, tag in self.tags.items() if name in kept}
        self.filters = {name: self.filters[name] for name in filters.KEPT} | filters.OURS

    def error(
        self, exc: type[LiquidError] | LiquidError, msg: str | None = None, token: Token | None = None
    ) -> NoReturn:
        """Raise the error with a place in the source, which python-liquid forgets at the end of an expression."""
        error = exc if isinstance(exc, LiquidError) else exc(msg, token=token)
        if token is not None and (error.token is None or error.token.start_index < 0):
            error.token = token if token.kind == TOKEN_EXPRESSION else token._replace(kind=_AFTER)
        raise error


class _Marked(Undefined):
    """A value that is missing and says so. Filters such as `default` take it for nothing."""

    def __str__(self) -> str:
        return MISSING.format(self.name)


@cache
def environment(*, html: bool, marking: bool = False) -> Environment:
    """The environment of HTML, where values are escaped, or of plain text; `marking`: what is missing says so."""
    return _Environment(autoescape=html, undefined=_Marked if marking else Undefined)


def parse_template(source: str, *, html: bool = False, marking: bool = False) -> MeteredTemplate:
    """Read a template; its names are not checked (`check_template` does that). `marking`: what is missing says so.

    Raises:
        TemplateError: it doesn't parse, or could do too much.
    """
    scan(source)
    try:
        template = environment(html=html, marking=marking).from_string(source)
    except LiquidError as error:
        start, markup = _place(source, error.token)
        raise TemplateError(f"{error.message} in {quoted(markup)}", line_of(source, start)) from None
    except RecursionError:
        raise TemplateError("the template is nested too deep", 1) from None
    for expression in expressions(template):
        if isinstance(expression, RangeLiteral):
            _check_range(expression, source)
    if not isinstance(template, MeteredTemplate):
        raise TypeError(f"expected a metered template, not {type(template).__name__}")
    return template


def _check_range(expression: RangeLiteral, source: str) -> None:
    ends = (expression.start, expression.stop)
    numbers = [end.value for end in ends if isinstance(end, IntegerLiteral)]
    if len(numbers) < len(ends) or numbers[1] - numbers[0] >= MAX_RANGE:
        message = f"a range is between two whole numbers, at most {MAX_RANGE:,} apart: (1..10)"
        raise TemplateError(message, line_of(source, expression.token.start_index))


def _place(source: str, token: Token | None) -> tuple[int, str]:
    """The markup that an error is in, and where in the source it starts."""
    end = token.start_index + 2 if token and token.start_index >= 0 else len(source)
    if token and token.kind == _AFTER:
        end = len(source[: end - 2].rstrip("{%- \t\n"))
    start = max(source.rfind("{{", 0, end), source.rfind("{%", 0, end), 0)
    closed = [found + 2 for closing in ("}}", "%}") if (found := source.find(closing, start)) >= 0]
    return start, " ".join(source[start : min(closed, default=len(source))].split())
