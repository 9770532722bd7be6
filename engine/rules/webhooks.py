"""What a webhook says, and how it is signed: by the Standard Webhooks specification (standardwebhooks.com)."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

#: What a secret begins with; the rest is the key in base64.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (no secret itself)

#: The largest body, in bytes.
MOST: Final = 262_144

TYPE: Final = "cadenza.step"


@dataclass(frozen=True, slots=True)
class Told:
    """What a webhook tells of a step."""

    key: str
    """Names the call: the same at each try."""
    at: float
    """Sequence time."""
    workspace: Mapping[str, Any]
    sequence: Mapping[str, Any]
    enrollment_id: int
    step: str
    contact: Mapping[str, Any]


def call_key(workspace_public_id: str, row_id: int) -> str:
    """The key of a row's call: the same at each try, and no other row's."""
    return f"{workspace_public_id}.{row_id}"


def document(told: Told, body: Any) -> str:
    """The JSON that is sent."""
    return json.dumps(
        {
            "type": TYPE,
            "id": told.key,
            "timestamp": datetime.fromtimestamp(told.at, UTC).isoformat().replace("+00:00", "Z"),
            "workspace": told.workspace,
            "sequence": told.sequence,
            "enrollment": {"id": told.enrollment_id},
            "step": {"key": told.step},
            "contact": told.contact,
            "body": body,
        },
        ensure_ascii=False,
    )


def rendered(body: Any, render: Callable[[str], str]) -> Any:
    """A body with each of its texts rendered; keys stay as they are."""
    match body:
        case str():
            return render(body)
        case Mapping():
            return {key: rendered(item, render) for key, item in body.items()}
        case list() | tuple():
            return [rendered(item, render) for item in body]
        case _:
            return body


def sign(secret: str, key: str, at: int, content: bytes) -> str:
    """The signature of a call that is made at a moment, in Unix seconds."""
    signed = f"{key}.{at}.".encode() + content
    return "v1," + b64encode(hmac.digest(b64decode(secret.removeprefix(SECRET_PREFIX)), signed, sha256)).decode()


def headers(secrets: Iterable[str], key: str, at: int, content: bytes) -> dict[str, str]:
    """The headers of a call; signed with each of the secrets, since a receiver may not know the newest one yet."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Cadenza",
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(sign(secret, key, at, content) for secret in secrets),
    }
