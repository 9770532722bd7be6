"""The errors that Cadenza raises on purpose. Each says what, where and how to mend it, in one line."""

from typing import ClassVar


class CadenzaError(Exception):
    """The base of all errors of ours; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class InvalidInput(CadenzaError):  # noqa: N818 (the field says "invalid input", and so do we)
    """What was given can't be worked with: the caller has to mend it."""

    exit_code: ClassVar[int] = 2


class NotFound(InvalidInput):
    """The workspace, sequence, enrollment or row that was named does not exist."""


class UnderWay(CadenzaError):  # noqa: N818
    """A step is on its way: what was asked can't be done at this moment, and perhaps in the next."""


class Unavailable(CadenzaError):  # noqa: N818
    """A server that is needed can't be reached, or refuses the credentials."""


class NotMigrated(CadenzaError):  # noqa: N818
    """The database has not the tables that this version works with."""


class StorageFull(CadenzaError):  # noqa: N818
    """A file could not be written."""
