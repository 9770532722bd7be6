"""What a Redis server says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class RedisServer:
    """What matters to us of it."""

    version: str
    """For people: Valkey is named."""
    number: tuple[int, ...]
    """The version of Redis that it is, or behaves like."""
    is_replica: bool
    max_memory: int
    """In bytes; 0: no limit."""
    policy: str
    """What it does at that limit."""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Read the answer to INFO."""
        number = str(info["redis_version"])
        valkey = info.get("valkey_version")
        return cls(
            version=f"Valkey {valkey}" if valkey else f"Redis {number}",
            number=tuple(int(part) for part in number.split(".")[:2]),
            is_replica=info["role"] != "master",
            max_memory=int(info["maxmemory"]),
            policy=str(info["maxmemory_policy"]),
        )

    @property
    def evicts(self) -> bool:
        """Whether it may forget keys of ours, which have no time to live."""
        return self.max_memory > 0 and self.policy.startswith("allkeys-")
