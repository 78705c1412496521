"""The secrets of one data folder: made once, kept in one private file, read from there by whoever may.

A key is what Supabase gives a project: an HS256 JWT that names a role and lives for ten years.
"""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import jwt

from local_supabase.errors import KeysMissing
from local_supabase.files import private_folder, write_private

KEY_LIFETIME_SECONDS = 10 * 365 * 24 * 3600
DATABASE_LOGINS = ("supabase_admin", "postgres", "authenticator", "supabase_auth_admin", "supabase_replication")
_FILE = "keys.json"


@dataclass(frozen=True, repr=False)
class Keys:
    """Everything secret in a data folder. Has no `repr`, so that it cannot slip into a log."""

    jwt_secret: str
    publishable_key: str
    service_role_key: str
    database_passwords: dict[str, str]


def load(data: Path) -> Keys:
    """Reads the keys of `data`.

    Raises:
        KeysMissing: nothing has been made there yet.
    """
    try:
        return Keys(**json.loads((data / _FILE).read_bytes()))
    except FileNotFoundError as error:
        raise KeysMissing(f"{data} holds no keys", do="start it once: semo up") from error


def load_or_make(data: Path) -> Keys:
    """Reads the keys of `data`, making folder and keys on first use."""
    private_folder(data)
    try:
        return load(data)
    except KeysMissing:
        keys = _generate()
        write_private(data / _FILE, json.dumps(asdict(keys), indent=2).encode())
        return keys


def api_key(jwt_secret: str, role: str) -> str:
    """The key that a Supabase project has for `role` (`anon` or `service_role`)."""
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + KEY_LIFETIME_SECONDS}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")


def _generate() -> Keys:
    jwt_secret = secrets.token_urlsafe(40)
    return Keys(
        jwt_secret=jwt_secret,
        publishable_key=api_key(jwt_secret, "anon"),
        service_role_key=api_key(jwt_secret, "service_role"),
        database_passwords={role: secrets.token_urlsafe(24) for role in DATABASE_LOGINS},
    )
