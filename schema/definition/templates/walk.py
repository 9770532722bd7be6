"""Everything that a template computes, in the order of its source."""

from collections.abc import Iterable, Iterator

from liquid import BoundTemplate, Node, RenderContext
from liquid.expression import Expression


def expressions(template: BoundTemplate) -> Iterator[Expression]:
    """All expressions of a template, also those within others."""
    return _of_nodes(template.nodes, RenderContext(template))


def _of_nodes(nodes: Iterable[Node], context: RenderContext) -> Iterator[Expression]:
    for node in nodes:
        yield from _within(node.expressions())
        yield from _of_nodes(node.children(context, include_partials=False), context)


def _within(found: Iterable[Expression]) -> Iterator[Expression]:
    for expression in found:
        yield expression
        yield from _within(expression.children())
