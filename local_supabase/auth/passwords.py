"""Hashes passwords with scrypt and checks them, off the event loop because that takes its time by design."""

import asyncio
import base64
import hashlib
import hmac
import secrets

_COST, _BLOCK, _LANES = 2**14, 8, 1
_NOBODYS = "scrypt$" + base64.b64encode(bytes(16)).decode() + "$" + base64.b64encode(bytes(64)).decode()


async def hash_password(password: str) -> str:
    """`scrypt$salt$key`, for `auth.users.encrypted_password`."""
    salt = secrets.token_bytes(16)
    key = await asyncio.to_thread(_derive, password, salt)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


async def password_matches(password: str, hashed: str | None) -> bool:
    """Takes as long for a user who does not exist (None) as for one who does."""
    _, salt, key = (hashed or _NOBODYS).split("$")
    derived = await asyncio.to_thread(_derive, password, base64.b64decode(salt))
    return hmac.compare_digest(derived, base64.b64decode(key)) and hashed is not None


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=64 * 1024 * 1024)
