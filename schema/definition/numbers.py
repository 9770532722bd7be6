"""Numbers, which a file has as they are written."""

from schema.definition.document import Unquoted


def whole(value: object) -> object:
    """Return a whole number for what is written as one; anything else as it is, for the model to refuse."""
    if isinstance(value, Unquoted) and value.written.isascii() and value.written.isdigit():
        return int(value.written)
    return value
