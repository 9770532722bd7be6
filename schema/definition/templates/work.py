"""How much a template may do: counted, not timed, so that a busy machine fails no message."""

from collections.abc import Callable
from typing import Any, Final, TextIO

from liquid import BoundTemplate, RenderContext, Token
from liquid.ast import BlockNode, Node
from liquid.exceptions import ResourceLimitError
from liquid.token import TOKEN_CONTENT
from liquid.undefined import UNDEFINED, Undefined
from liquid.utils import ReadOnlyChainMap

#: Units of work: about one per character of source that runs in a block, or of data that is read or made.
#: The nastiest known templates take a quarter of a second for them (tests/unit/test_rendering_limits.py).
MAX_WORK: Final = 1_500_000
MAX_TEXT: Final = 256 * 1024
"""Characters that a filter may make, and a whole rendering."""
MAX_ITEMS: Final = 1_000
"""Items of a list that a filter may make."""
MAX_BITS: Final = 256
"""Bits of a whole number that a filter may make."""


class WorkLimitError(ResourceLimitError):
    """A template does more than it may."""


class MeteredContext(RenderContext):
    """A render context that counts the work of one rendering."""

    __slots__ = ("work",)

    def __init__(self, template: BoundTemplate, **options: Any) -> None:
        """Start with nothing done."""
        super().__init__(template, **options)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)  # without `now`, the machine's clock
        self.work = 0

    def charge(self, units: int) -> None:
        """Count work.

        Raises:
            WorkLimitError: it was too much.
        """
        self.work += units
        if self.work > MAX_WORK:
            raise WorkLimitError("the template does too much", token=None)

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """Resolve a variable, and count it by its length."""
        value = super().get(path, token=token, default=default)
        if isinstance(value, Undefined):
            value.name = ".".join(map(str, path))  # python-liquid names the root alone
        self.charge(len(value) + 4 if isinstance(value, (str, list, dict)) else 4)
        return value

    def assign(self, key: str, val: Any) -> None:
        """Keep a local variable; what it holds was counted when it was made."""
        self.charge(4)
        self.locals[key] = val

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """A filter whose result is counted, and bounded."""
        function = super().filter(name, token)

        def metered(*arguments: object, **options: object) -> object:
            result = function(*arguments, **options)
            self.charge(_size(result))
            return result

        return metered


class Charge(Node):
    """Stands first in each block, and counts its source each time that it runs."""

    __slots__ = ("units",)

    def __init__(self, units: int) -> None:
        """Say what a run of the block costs."""
        super().__init__(Token(TOKEN_CONTENT, "", 0, ""))
        self.units = units

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Count, and write nothing."""
        if isinstance(context, MeteredContext):
            context.charge(self.units)
        return 0


class MeteredTemplate(BoundTemplate):
    """A template that renders within bounds."""

    context_class = MeteredContext

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Put a charge into each block."""
        super().__init__(*arguments, **options)
        context = RenderContext(self)
        for node in self.nodes:
            _put_charges(node, context)


def _put_charges(node: Node, context: RenderContext) -> None:
    for child in node.children(context, include_partials=False):
        _put_charges(child, context)
    if isinstance(node, BlockNode):
        length = node.token.start_index - node.nodes[0].token.start_index if node.nodes else 0
        node.nodes.insert(0, Charge(20 + max(length, 0)))


def _size(result: object) -> int:
    size = 4
    if isinstance(result, str):
        size, most = len(result), MAX_TEXT
    elif isinstance(result, list):
        size, most = len(result), MAX_ITEMS
    elif isinstance(result, int):
        size, most = result.bit_length(), MAX_BITS
    else:
        return size
    if size > most:
        raise WorkLimitError("a filter makes too much", token=None)
    return size + 4
