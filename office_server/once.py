"""What an Idempotency-Key stands for: asking again makes nothing anew, and shows the same secret without keeping it.

Such a secret is derived from the key, from where it was used, and from the service key, which only the server knows.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from shared.errors import Conflict

SECRET_BYTES = 32


class Once:
    def __init__(self, service_role_key: str) -> None:
        self._key = service_role_key.encode()

    def secret(self, purpose: str, office: object, idempotency_key: str | None) -> bytes:
        """32 bytes: random, or the same for the same key."""
        if idempotency_key is None:
            return secrets.token_bytes(SECRET_BYTES)
        said = "\0".join(("semo once", purpose, str(office), idempotency_key))
        return hmac.new(self._key, said.encode(), hashlib.sha256).digest()


def digest_of(wanted: object) -> str:
    """What tells two requests apart. `wanted`: what JSON can say."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def require_same(wanted: Mapping[str, Any], made: BaseModel) -> None:
    """
    Raises:
        Conflict: `made` was asked for with the same key and other words.
    """
    kept = made.model_dump(mode="json")
    if any(kept[name] != value for name, value in wanted.items() if value is not None):
        raise used_for_something_else()


def used_for_something_else(**context: object) -> Conflict:
    return Conflict(
        "This Idempotency-Key was used before, for another request.",
        advice="use a new key for each new request",
        **context,
    )
