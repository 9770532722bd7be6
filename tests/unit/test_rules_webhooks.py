"""What a webhook says, and how it is signed."""

import json

from engine.rules.webhooks import Told, call_key, document, headers, rendered, sign

SECRET = "whsec_MfKQ9r8GKYqTwjUPD8ILPZIo2LaLaSw="
CONTENT = b'{"test": 2432232314}'

#: What openssl says: printf '%s' 'msg_1.1614265330.{"test": 2432232314}' | openssl dgst -sha256 -mac HMAC ...
SIGNATURE = "v1,NnRbRHMT9gxM1jJUr5kyqJdj/FVenfY8n7IkueXZnYo="


def test_the_signature_is_that_of_the_specification() -> None:
    assert sign(SECRET, "msg_1", 1614265330, CONTENT) == SIGNATURE
    assert sign(SECRET, "msg_1", 1614265331, CONTENT) != SIGNATURE
    assert sign(SECRET, "msg_2", 1614265330, CONTENT) != SIGNATURE
    assert sign(SECRET, "msg_1", 1614265330, CONTENT + b" ") != SIGNATURE


def test_each_secret_signs_and_the_key_names_the_call() -> None:
    given = headers((SECRET, "whsec_AAAA"), "msg_1", 1614265330, CONTENT)
    assert given["webhook-id"] == given["Idempotency-Key"] == "msg_1"
    assert given["webhook-timestamp"] == "1614265330"
    assert given["webhook-signature"].split(" ")[0] == SIGNATURE
    assert len(given["webhook-signature"].split(" ")) == 2


def test_keys_differ_by_workspace_and_row() -> None:
    assert len({call_key(workspace, row) for workspace in ("ws_a", "ws_b") for row in (1, 2, 12)}) == 6


def test_only_texts_are_rendered_however_deep() -> None:
    body = {"a": "x", "b": {"c": ["y", 1, None, {"d": "z"}]}, "e": True, "f": 1.5}
    assert rendered(body, str.upper) == {"a": "X", "b": {"c": ["Y", 1, None, {"d": "Z"}]}, "e": True, "f": 1.5}


def test_the_time_is_utc() -> None:
    told = Told("k", 0.0, {"id": "ws"}, {"key": "s"}, 7, "step", {"email": None})
    assert json.loads(document(told, {}))["timestamp"] == "1970-01-01T00:00:00Z"
