"""Secrets of the REST API: made once, shown once, kept as a hash."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from office_server.backend import Backend
from office_server.rows import Token
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
) -> MintedToken:
    """Makes a token. Without an office it is valid in all of them, and may make new ones if `role` is admin.

    Raises:
        NotFound: there is no such office.
        BackendDown: Supabase does not answer.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    token = await backend.tokens.add(
        {
            "name": name,
            "role": role,
            "office_id": str(office) if office else None,
            "token_hash": hash_of(secret),
            "created_by": created_by,
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
    )
    return MintedToken(secret, token)
