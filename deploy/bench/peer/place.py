"""What the peer's processes are told: where everything is."""

import os
from typing import Final, Self

from pydantic import BaseModel

VARIABLE: Final = "CADENZA_BENCH_PEER"


class Place(BaseModel):
    """Servers, providers and threads."""

    database_url: str
    redis_url: str
    twilio_url: str
    account_sid: str
    auth_token: str
    smtp_host: str
    smtp_port: int
    threads: int

    def environment(self) -> dict[str, str]:
        """Return it as a process of the peer gets it."""
        return {VARIABLE: self.model_dump_json()}

    @classmethod
    def given(cls) -> Self:
        """Read what this process was told."""
        return cls.model_validate_json(os.environ[VARIABLE])
