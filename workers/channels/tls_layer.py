"""TLS without a socket: records in, records out."""

import ssl
from typing import Final

#: Octets that are decrypted at once.
_PIECE: Final = 65_536


class TlsLayer:
    """The TLS of one connection."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        """Prepare for a handshake with this host."""
        self.incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self.incoming, self._outgoing, server_hostname=host)
        self.is_shaken = False
        self.is_over = False

    def shake(self) -> None:
        """Go on with the handshake.

        Raises:
            ssl.SSLError: it came to nothing.
        """
        try:
            self._tls.do_handshake()
            self.is_shaken = True
        except ssl.SSLWantReadError:
            return

    def records(self) -> bytes:
        """Take the records that are to be sent."""
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """Make records of data."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        return self._outgoing.read()

    def decrypt(self, records: bytes) -> bytes:
        """Take the data out of records.

        Raises:
            ssl.SSLError: there are none in it.
        """
        self.incoming.write(records)
        parts: list[bytes] = []
        try:
            while data := self._tls.read(_PIECE):
                parts.append(data)
            self.is_over = True
        except ssl.SSLWantReadError:
            pass  # that was all, for now
        return b"".join(parts)
