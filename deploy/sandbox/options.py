"""What a sandbox is started with."""

from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LEDGER_FILE = "sandbox.ledger.ndjson"

#: What stands in for a phone number of ours: the sender that Twilio's own test credentials accept.
SENDER = "+15005550006"


class SandboxOptions(BaseModel):
    """Where a sandbox listens, what it accepts, and where it writes. Durations are real seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        Path(".cadenza"), description="where its state file and, unless told otherwise, its ledger are"
    )
    host: str = Field("127.0.0.1", description="a loopback address")
    http_port: int = Field(0, ge=0, le=65535, description="of the Twilio API; 0: a free one")
    smtp_port: int = Field(0, ge=0, le=65535, description="0: a free one")
    control_port: int = Field(0, ge=0, le=65535, description="of /sandbox/, where no fault strikes; 0: a free one")
    ledger: Path | None = Field(None, description=f"default: {LEDGER_FILE} in the data folder")
    fresh_ledger: bool = Field(False, description="forget what an earlier sandbox wrote there")

    account_sid: str = Field("AC" + "0" * 31 + "1", pattern="^AC[0-9a-f]{32}$")
    auth_token: str = Field("sandbox-token", min_length=1, repr=False)
    smtp_user: str | None = Field(None, description="unset: anyone may send, and AUTH is not offered")
    smtp_password: str | None = Field(None, repr=False)
    smtp_certificate: Path | None = Field(None, description="PEM; with the key it offers STARTTLS")
    smtp_key: Path | None = None

    callbacks: bool = Field(True, description="whether status callbacks are sent")
    sent_after: float = Field(0.05, ge=0, le=3600, description="from accepted to `sent`")
    delivered_after: float = Field(0.2, ge=0, le=3600, description="from accepted to `delivered`")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            loopback = ip_address(self.host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(f"host: the sandbox listens on a loopback address only, as 127.0.0.1, not {self.host}")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("smtp_user and smtp_password: give both or neither")
        if (self.smtp_certificate is None) != (self.smtp_key is None):
            raise ValueError("smtp_certificate and smtp_key: give both or neither")
        if self.delivered_after < self.sent_after:
            raise ValueError(
                "delivered_after: a message is not delivered before it is sent; make it sent_after or more"
            )
        return self

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.ledger or self.data_dir / LEDGER_FILE
