"""Secrets of the REST API: made once, shown once, kept as a hash."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from office_server.backend import Backend
from office_server.once import SECRET_BYTES, require_same, used_for_something_else
from office_server.rows import Token
from shared.errors import Conflict
from shared.ids import OfficeId
from shared.states import MemberRole

PREFIX = "semo_"


@dataclass(frozen=True, repr=False)
class MintedToken:
    """A new token; `secret` is not to be had again. Has no `repr`, so that it cannot slip into a log."""

    secret: str
    token: Token


def hash_of(secret: str) -> str:
    """What the database keeps of a secret. No salt: a secret holds 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def mint(
    backend: Backend,
    *,
    name: str,
    role: MemberRole,
    office: OfficeId | None,
    created_by: str,
    expires_at: datetime | None = None,
    secret_bytes: bytes | None = None,
    idempotency_key: str | None = None,
) -> MintedToken:
    """Makes a token. Without an office it is valid in all of them, and may make new ones if `role` is admin.

    With an `idempotency_key`, asking again gives the same token; `secret_bytes` must then be the same, too.

    Raises:
        NotFound: there is no such office.
        Conflict: the key was used for another token.
        BackendDown: Supabase does not answer.
    """
    secret = PREFIX + base64.urlsafe_b64encode(secret_bytes or secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    wanted = {"name": name, "role": role}
    fields = {
        **wanted,
        "office_id": str(office) if office else None,
        "token_hash": hash_of(secret),
        "created_by": created_by,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "idempotency_key": idempotency_key,
    }
    try:
        return MintedToken(secret, await backend.tokens.add(fields))
    except Conflict:
        made = await backend.tokens.find(hash_of(secret))
        if made is None or made.expires_at != expires_at:
            raise used_for_something_else() from None
        require_same(wanted, made)
        return MintedToken(secret, made)
