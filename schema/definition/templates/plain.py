"""Templates that only name values: most are, and filling them in takes a tenth of what interpreting takes."""

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from liquid import BoundTemplate, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import Filter, FilteredExpression, Path, PositionalArgument, StringLiteral
from liquid.builtin.output import OutputNode
from markupsafe import escape

Name: TypeAlias = tuple[str, str]


class PlainTemplate:
    """Text with names in it, as `{{ contact.first_name | default: 'there' }}`; no tags, and no other filter."""

    def __init__(self, pieces: list[str | Name], *, html: bool) -> None:
        """Take text and names by turns, in any order. In HTML the values are escaped."""
        self._pieces = pieces
        self._html = html

    @classmethod
    def of(cls, template: BoundTemplate) -> Self | None:
        """The same template, or None if it does more than naming values."""
        pieces = [_piece(node) for node in template.nodes]
        if None in pieces:
            return None
        return cls([piece for piece in pieces if piece is not None], html=template.env.autoescape)

    def fill(self, variables: Mapping[str, Any]) -> str | None:
        """The text, if each value is a text and not empty: so no default applies. None: to be interpreted."""
        filled: list[str] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                filled.append(piece)
                continue
            value = variables.get(piece[0], {}).get(piece[1])
            if not value or type(value) is not str:
                return None
            filled.append(str(escape(value)) if self._html else value)
        return "".join(filled)


def _piece(node: Node) -> str | Name | None:
    if isinstance(node, ContentNode):
        return node.text
    if not isinstance(node, OutputNode) or not isinstance(node.expression, FilteredExpression):
        return None
    named, filters = node.expression.left, node.expression.filters or []
    if not isinstance(named, Path) or len(named.path) != 2:
        return None
    if not all(_is_default(one) for one in filters):
        return None
    scope, name = named.path
    return (scope, name) if isinstance(scope, str) and isinstance(name, str) else None


def _is_default(one: Filter) -> bool:
    """Whether it leaves a text as it is that is not empty."""
    if one.name != "default" or len(one.args) != 1:
        return False
    return isinstance(one.args[0], PositionalArgument) and isinstance(one.args[0].value, StringLiteral)
