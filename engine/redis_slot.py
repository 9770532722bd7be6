"""A client of a Redis Cluster for keys that are all in one slot: it talks to the slot's owner, wherever that goes."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import redis
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MasterDownError, MovedError, ReadOnlyError, TryAgainError

Address: TypeAlias = tuple[str, int]

#: What a server answers that is not, or not wholly, the owner of the slot at this moment.
NOT_THE_OWNER: Final = (MovedError, AskError, TryAgainError, ClusterDownError, MasterDownError, ReadOnlyError)


class SlotOwner:
    """Finds the owner of a slot: any server of the Cluster knows it."""

    def __init__(self, servers: Sequence[Address], slot: int, connection_class: type[Connection], options: Any) -> None:
        """Prepare; `servers` are some of the Cluster."""
        self._servers = list(servers)
        self._slot = slot
        self._connection_class = connection_class
        self._options = options

    def find(self) -> Address:
        """Ask one server after the other.

        Raises:
            redis.ConnectionError: none of them answers, or none owns the slot.
        """
        failure: Exception = redis.ConnectionError("no server of the Cluster owns the slot of our keys")
        for host, port in list(self._servers):
            connection = self._connection_class(host=host, port=port, **self._options)
            try:
                connection.connect()  # type: ignore[no-untyped-call]
                connection.send_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                ranges = connection.read_response(disable_decoding=True)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                failure = error
                continue
            finally:
                connection.disconnect()  # type: ignore[no-untyped-call]
            if (owner := self._owner(ranges, host)) is not None:
                return owner
        raise failure

    def _owner(self, ranges: Sequence[Any], asked: str) -> Address | None:
        """Read an answer, and remember the servers in it; one without a host is the one that was asked."""
        owner = None
        for first, last, *servers in ranges:
            addresses = [(bytes(server[0] or b"").decode() or asked, int(server[1])) for server in servers]
            self._servers += [address for address in addresses if address not in self._servers]
            if first <= self._slot <= last:
                owner = addresses[0]
        return owner


class _ToTheOwner(Connection):
    """Connects to the owner of the slot; when it is told that this is another, it connects anew."""

    def __init__(self, owner: SlotOwner, **options: Any) -> None:
        self._owner = owner
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = self._owner.find()
        return super()._connect()  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Read an answer.

        Raises:
            redis.ConnectionError: it is that the slot is elsewhere.
        """
        try:
            return super().read_response(*arguments, **options)
        except NOT_THE_OWNER as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError(f"the Cluster has moved our keys: {error}") from None


class _ToTheOwnerByTls(_ToTheOwner, SSLConnection):
    pass


def open_slot(key: str, servers: Sequence[Address], options: dict[str, Any], *, tls: bool) -> "redis.Redis":
    """Return a client for the slot of a key."""
    owner = SlotOwner(servers, key_slot(key.encode()), SSLConnection if tls else Connection, options)
    return redis.Redis(
        connection_pool=ConnectionPool(
            connection_class=_ToTheOwnerByTls if tls else _ToTheOwner, owner=owner, **options
        )
    )
