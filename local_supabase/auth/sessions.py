"""Sessions and their tokens: a JWT that lives for an hour, and a refresh token that works once.

A refresh token that comes back after it was used ends the whole session, unless it is the one just before
the current: then the client never got the answer, and gets it again.
"""

import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from local_supabase.auth.errors import AuthError, invalid_credentials
from local_supabase.auth.hooks import AccessTokenHook
from local_supabase.auth.passwords import password_matches
from local_supabase.auth.users import User, user_by_email, user_by_id, user_json

REUSE_SECONDS = 10


@dataclass(frozen=True, repr=False)
class TokenIssuer:
    """Signs what sessions hand out. `hook` may change the claims before."""

    jwt_secret: str
    issuer: str
    lifetime_seconds: int = 3600
    hook: AccessTokenHook | None = None

    def claims(self, user: User, session_id: uuid.UUID, signed_in_at: datetime) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": str(user["id"]),
            "aud": user["aud"],
            "exp": now + self.lifetime_seconds,
            "iat": now,
            "email": user["email"],
            "phone": user["phone"] or "",
            "app_metadata": user["raw_app_meta_data"] or {},
            "user_metadata": user["raw_user_meta_data"] or {},
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": int(signed_in_at.timestamp())}],
            "session_id": str(session_id),
            "is_anonymous": user["is_anonymous"],
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


async def sign_in(
    connection: AsyncConnection[DictRow], issuer: TokenIssuer, email: str, password: str
) -> dict[str, Any]:
    """A new session.

    Raises:
        AuthError: invalid_credentials, email_not_confirmed, user_banned.
    """
    user = await user_by_email(connection, email)
    if not await password_matches(password, user["encrypted_password"] if user else None) or user is None:
        raise invalid_credentials()
    _require_active(user)
    if user["email_confirmed_at"] is None:
        raise AuthError(400, "email_not_confirmed", "Email not confirmed")
    session_id = uuid.uuid4()
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at) values (%s, %s, now(), now())",
        (session_id, user["id"]),
    )
    await connection.execute("update auth.users set last_sign_in_at = now() where id = %s", (user["id"],))
    refresh_token = await _new_refresh_token(connection, user["id"], session_id, None)
    user = await user_by_id(connection, user["id"])
    return await _session_json(connection, issuer, user, session_id, refresh_token, datetime.now(UTC))


async def refresh(connection: AsyncConnection[DictRow], issuer: TokenIssuer, refresh_token: str) -> dict[str, Any]:
    """The same session with new tokens; the one given here is used up.

    Raises:
        AuthError: refresh_token_not_found, refresh_token_already_used (the session has ended), user_banned.
    """
    cursor = await connection.execute(
        "select t.*, s.created_at as signed_in_at from auth.refresh_tokens t"
        " join auth.sessions s on s.id = t.session_id where t.token = %s for update",
        (refresh_token,),
    )
    token = await cursor.fetchone()
    if token is None:
        raise AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    user = await user_by_id(connection, token["user_id"])
    _require_active(user)
    if token["revoked"]:
        issued = await _issued_again(connection, token)
    else:
        await connection.execute(
            "update auth.refresh_tokens set revoked = true, updated_at = now() where id = %s", (token["id"],)
        )
        issued = await _new_refresh_token(connection, user["id"], token["session_id"], refresh_token)
    await connection.execute(
        "update auth.sessions set refreshed_at = now(), updated_at = now() where id = %s", (token["session_id"],)
    )
    return await _session_json(connection, issuer, user, token["session_id"], issued, token["signed_in_at"])


async def sign_out(connection: AsyncConnection[DictRow], claims: dict[str, Any], scope: str) -> None:
    """Ends sessions of the token's user: `global` all, `local` this one, `others` all but this one."""
    chosen = {"global": "true", "local": "id = %(session)s", "others": "id <> %(session)s"}[scope]
    await connection.execute(
        f"delete from auth.sessions where user_id = %(user)s and {chosen}".encode(),  # noqa: S608 - one of three
        {"user": claims["sub"], "session": claims["session_id"]},
    )


async def session_exists(connection: AsyncConnection[DictRow], session_id: str) -> bool:
    cursor = await connection.execute("select 1 from auth.sessions where id::text = %s", (session_id,))
    return await cursor.fetchone() is not None


class SessionEnded(AuthError):
    """A used refresh token came back: what this says must be committed before it is said."""


async def _issued_again(connection: AsyncConnection[DictRow], token: DictRow) -> str:
    cursor = await connection.execute(
        "select token, parent from auth.refresh_tokens where session_id = %s and not revoked order by id desc limit 1",
        (token["session_id"],),
    )
    current = await cursor.fetchone()
    if current is not None and current["parent"] == token["token"]:
        return current["token"]
    if current is not None and (datetime.now(UTC) - token["updated_at"]).total_seconds() < REUSE_SECONDS:
        return await _new_refresh_token(connection, token["user_id"], token["session_id"], current["token"])
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = %s",
        (token["session_id"],),
    )
    raise SessionEnded(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")


async def _new_refresh_token(
    connection: AsyncConnection[DictRow], user_id: object, session_id: uuid.UUID, parent: str | None
) -> str:
    token = secrets.token_urlsafe(24)
    await connection.execute(
        "insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent,"
        " session_id) values ('00000000-0000-0000-0000-000000000000', %s, %s, false, now(), now(), %s, %s)",
        (token, str(user_id), parent, session_id),
    )
    return token


async def _session_json(
    connection: AsyncConnection[DictRow], issuer: TokenIssuer, user: User, session_id: uuid.UUID,
    refresh_token: str, signed_in_at: datetime,
) -> dict[str, Any]:  # fmt: skip
    claims = issuer.claims(user, session_id, signed_in_at)
    expires_at: int = claims["exp"]  # as the project has it, whatever a hook makes of the token
    if issuer.hook is not None:
        claims = await issuer.hook.changed(connection, user["id"], claims)
    return {
        "access_token": issuer.sign(claims),
        "token_type": "bearer",
        "expires_in": issuer.lifetime_seconds,
        "expires_at": expires_at,
        "refresh_token": refresh_token,
        "user": await user_json(connection, user),
    }


def _require_active(user: User) -> None:
    if user["banned_until"] is not None and user["banned_until"] > datetime.now(UTC):
        raise AuthError(400, "user_banned", "User is banned")
