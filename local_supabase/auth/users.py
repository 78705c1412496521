"""The rows of `auth.users`: made, changed, found and deleted, and how they look to a client."""

import re
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from local_supabase.auth.errors import AuthError, not_here, user_not_found, validation_failed
from local_supabase.auth.passwords import hash_password

User = dict[str, Any]
"""One row of auth.users."""

_MINIMUM_PASSWORD = 6
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_KNOWN_ATTRIBUTES = frozenset(
    {"id", "email", "password", "email_confirm", "user_metadata", "app_metadata", "role", "ban_duration", "data"}
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


async def create_user(connection: AsyncConnection[DictRow], attributes: dict[str, Any]) -> User:
    """
    Raises:
        AuthError: validation_failed, weak_password, email_exists.
    """
    _check(attributes)
    if not attributes.get("email"):
        raise validation_failed("Cannot create a user without either an email or phone")
    user_id = _user_id(attributes["id"]) if attributes.get("id") else uuid.uuid4()
    email = attributes["email"].lower()
    values: dict[str, Any] = {
        "id": user_id,
        "role": attributes.get("role") or "authenticated",
        "email": email,
        "password": await hash_password(_password(attributes) or secrets.token_urlsafe(32)),
        "confirmed": bool(attributes.get("email_confirm")),
        "app": Jsonb({"provider": "email", "providers": ["email"], **(attributes.get("app_metadata") or {})}),
        "user": Jsonb(attributes.get("user_metadata") or {}),
        "banned": _ban(attributes.get("ban_duration")),
        "identity": Jsonb({"sub": str(user_id), "email": email, "email_verified": False, "phone_verified": False}),
    }
    try:
        await connection.execute(
            "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
            " raw_app_meta_data, raw_user_meta_data, created_at, updated_at, banned_until)"
            " values ('00000000-0000-0000-0000-000000000000', %(id)s, 'authenticated', %(role)s, %(email)s,"
            " %(password)s, case when %(confirmed)s then now() end, %(app)s, %(user)s, now(), now(),"
            " now() + %(banned)s)",
            values,
        )
        await connection.execute(
            "insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)"
            " values (%(id)s::uuid::text, %(id)s, %(identity)s, 'email', now(), now())",
            values,
        )
    except psycopg.errors.UniqueViolation as error:
        raise _email_exists() from error
    return await user_by_id(connection, user_id)


async def update_user(connection: AsyncConnection[DictRow], user_id: str, attributes: dict[str, Any]) -> User:
    """Metadata is merged key by key, as in GoTrue; a null takes a key away.

    Raises:
        AuthError: user_not_found, validation_failed, weak_password, email_exists.
    """
    _check(attributes)
    user = await user_by_id(connection, _user_id(user_id))
    password = _password(attributes)
    values: dict[str, Any] = {
        "id": user["id"],
        "email": (attributes.get("email") or user["email"]).lower(),
        "role": attributes.get("role") or user["role"],
        "password": await hash_password(password) if password else user["encrypted_password"],
        "confirmed": bool(attributes.get("email_confirm")),
        "app": Jsonb(_merged(user["raw_app_meta_data"], attributes.get("app_metadata"))),
        "user": Jsonb(_merged(user["raw_user_meta_data"], attributes.get("user_metadata"))),
        "ban_changes": "ban_duration" in attributes,
        "banned": _ban(attributes.get("ban_duration")),
    }
    try:
        await connection.execute(
            "update auth.users set email = %(email)s, role = %(role)s, encrypted_password = %(password)s,"
            " email_confirmed_at = coalesce(email_confirmed_at, case when %(confirmed)s then now() end),"
            " raw_app_meta_data = %(app)s, raw_user_meta_data = %(user)s, updated_at = now(),"
            " banned_until = case when %(ban_changes)s then now() + %(banned)s else banned_until end"
            " where id = %(id)s",
            values,
        )
    except psycopg.errors.UniqueViolation as error:
        raise _email_exists() from error
    return await user_by_id(connection, user["id"])


async def delete_user(connection: AsyncConnection[DictRow], user_id: str) -> None:
    """Raises AuthError user_not_found."""
    user = await user_by_id(connection, _user_id(user_id))
    await connection.execute("delete from auth.refresh_tokens where user_id = %s", (str(user["id"]),))
    await connection.execute("delete from auth.users where id = %s", (user["id"],))


async def user_by_id(connection: AsyncConnection[DictRow], user_id: uuid.UUID | str) -> User:
    """Raises AuthError user_not_found, or validation_failed for what is no UUID."""
    user = await _one(connection, "select * from auth.users where id = %s", _user_id(user_id))
    if user is None:
        raise user_not_found()
    return user


async def user_by_email(connection: AsyncConnection[DictRow], email: str) -> User | None:
    return await _one(connection, "select * from auth.users where email = %s and not is_sso_user", email.lower())


async def list_users(connection: AsyncConnection[DictRow], page: int, per_page: int) -> tuple[list[User], int]:
    """One page (from 1), newest first, and how many there are in all."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select *, count(*) over () as total from auth.users order by created_at desc, id limit %s offset %s",
            (per_page, (page - 1) * per_page),
        )
        rows = await cursor.fetchall()
    return rows, rows[0]["total"] if rows else 0


async def user_json(connection: AsyncConnection[DictRow], user: User) -> dict[str, Any]:
    """The user as a client sees it."""
    cursor = await connection.execute(
        "select * from auth.identities where user_id = %s order by created_at", (user["id"],)
    )
    shown: dict[str, Any] = {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"],
        "phone": user["phone"] or "",
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "identities": [_identity_json(identity) for identity in await cursor.fetchall()],
        "is_anonymous": user["is_anonymous"],
    }
    times = ("created_at", "updated_at", "email_confirmed_at", "confirmed_at", "last_sign_in_at", "banned_until")
    return shown | {name: _time(user[name]) for name in times if user[name] is not None}


def _identity_json(identity: DictRow) -> dict[str, Any]:
    return {
        "identity_id": str(identity["id"]),
        "id": identity["provider_id"],
        "user_id": str(identity["user_id"]),
        "identity_data": identity["identity_data"],
        "provider": identity["provider"],
        "last_sign_in_at": _time(identity["last_sign_in_at"]),
        "created_at": _time(identity["created_at"]),
        "updated_at": _time(identity["updated_at"]),
        "email": identity["email"],
    }


async def _one(connection: AsyncConnection[DictRow], question: str, value: object) -> User | None:
    cursor = await connection.execute(question.encode(), (value,))
    return await cursor.fetchone()


def _check(attributes: dict[str, Any]) -> None:
    if unknown := sorted(attributes.keys() - _KNOWN_ATTRIBUTES):
        raise not_here(f"the user attribute {unknown[0]}")
    email = attributes.get("email")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        raise validation_failed("Unable to validate email address: invalid format")
    for name in ("user_metadata", "app_metadata"):
        if not isinstance(attributes.get(name) or {}, dict):
            raise validation_failed(f"{name} must be an object")


def _password(attributes: dict[str, Any]) -> str | None:
    password = attributes.get("password")
    if password is None:
        return None
    if not isinstance(password, str):
        raise validation_failed("The password must be a string")
    if len(password) < _MINIMUM_PASSWORD:
        message = f"Password should be at least {_MINIMUM_PASSWORD} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})
    return password


def _ban(duration: object) -> timedelta | None:
    if duration in (None, "", "none"):
        return None
    match = _DURATION.fullmatch(str(duration))
    if match is None:
        raise validation_failed("invalid format for ban duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _merged(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in {**(old or {}), **(new or {})}.items() if value is not None}


def _user_id(text: uuid.UUID | str) -> uuid.UUID:
    try:
        return text if isinstance(text, uuid.UUID) else uuid.UUID(text)
    except ValueError as error:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from error


def _email_exists() -> AuthError:
    return AuthError(422, "email_exists", "A user with this email address has already been registered")


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
