"""The custom access token hook: a function of the project that sees the claims of a token before it is signed.

Which function, the project's config.toml says, where the official CLI finds it too.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from local_supabase.auth.errors import AuthError
from local_supabase.errors import EmbeddedError

_NEEDED = frozenset({"iss", "aud", "exp", "iat", "sub", "role", "aal", "session_id"})


@dataclass(frozen=True)
class AccessTokenHook:
    """A PostgreSQL function: user_id, claims and authentication_method go in, `{"claims"}` or `{"error"}` comes out."""

    schema: str
    function: str

    async def changed(
        self, connection: AsyncConnection[DictRow], user_id: Any, claims: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims as the function wants them.

        Raises:
            AuthError: it refuses the token, fails, or gives something that is no token's.
        """
        event = {"user_id": str(user_id), "claims": claims, "authentication_method": claims["amr"][0]["method"]}
        call = sql.SQL("select {}.{}(%s) as given").format(sql.Identifier(self.schema), sql.Identifier(self.function))
        try:
            cursor = await connection.execute(call, (Jsonb(event),))
            row = await cursor.fetchone()
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise AuthError(
                500, "unexpected_failure", f"Error running hook URI: {self.schema}/{self.function}"
            ) from error
        given: dict[str, Any] = (row or {}).get("given") or {}
        if refused := given.get("error"):
            raise AuthError(int(refused.get("http_code", 500)), "unexpected_failure", str(refused.get("message", "")))
        changed: dict[str, Any] = given.get("claims") or {}
        if missing := sorted(_NEEDED - changed.keys()):
            message = f"output claims do not conform to the expected schema: {missing[0]} is required"
            raise AuthError(500, "unexpected_failure", message)
        return changed


def hook_of(supabase_folder: Path) -> AccessTokenHook | None:
    """What `[auth.hook.custom_access_token]` of config.toml names; None when there is none, or it is not enabled.

    Raises:
        EmbeddedError: it names something that is not served here.
    """
    file = supabase_folder / "config.toml"
    if not file.exists():
        return None
    told: dict[str, Any] = (
        tomllib.loads(file.read_text()).get("auth", {}).get("hook", {}).get("custom_access_token", {})
    )
    if not told.get("enabled"):
        return None
    uri = urlsplit(str(told.get("uri", "")))
    schema, _, function = uri.path.removeprefix("/").partition("/")
    if uri.scheme != "pg-functions" or not schema or not function:
        raise EmbeddedError(
            f"{file}: auth.hook.custom_access_token is no pg-functions://postgres/SCHEMA/FUNCTION",
            do="other hooks are not part of the embedded Supabase",
        )
    return AccessTokenHook(schema, function)
