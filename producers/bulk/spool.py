"""Standard input, or a pipe, kept whole so that it can be read twice."""

import errno
import io
import os
import select
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Final

from engine.errors import CadenzaError, InvalidInput, StorageFull

#: Bytes: read at a time, and kept in memory before the disk is used.
BLOCK: Final = 1024 * 1024
IN_MEMORY: Final = 16 * 1024 * 1024

#: Real seconds after which a wait for more looks whether it is to stop.
LOOK: Final = 0.2


@contextmanager
def spooled(file: IO[bytes], stop: Callable[[], bool]) -> Iterator[IO[bytes]]:
    """Keep all that comes in.

    Raises:
        InvalidInput: it can't be read.
        StorageFull: it can't be kept.
        CadenzaError: stopped while it was waited for.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="cadenza-") as whole:
        try:
            for block in _blocks(file, stop):
                whole.write(block)
            whole.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise InvalidInput(f"standard input can't be read: {said(error)}") from None
            raise StorageFull(
                f"standard input can't be kept in {tempfile.gettempdir()}: {said(error)};"
                " nothing was enrolled; make room or set TMPDIR"
            ) from None
        yield whole


def said(error: BaseException) -> str:
    """What an error of the system says, without the file that it names."""
    return getattr(error, "strerror", None) or str(error)


def _blocks(file: IO[bytes], stop: Callable[[], bool]) -> Iterator[bytes]:
    """What comes in, until its end; a signal whose handler only takes note would not end a read that waits."""
    try:
        descriptor = file.fileno()
    except io.UnsupportedOperation:  # in memory
        yield from iter(partial(file.read, BLOCK), b"")
        return
    while True:
        while not select.select([descriptor], [], [], LOOK)[0]:
            if stop():
                raise CadenzaError("stopped while waiting for standard input: nothing was done")
        if not (block := os.read(descriptor, BLOCK)):
            return
        yield block
