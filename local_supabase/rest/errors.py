"""PostgREST's error bodies and statuses: {"code", "message", "details", "hint"}."""

import re

import orjson
import psycopg


class RestError(Exception):
    """An answer that is an error, as the client reads it."""

    def __init__(
        self, status: int, code: str, message: str, *, details: str | None = None, hint: str | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint
        super().__init__(message)

    def body(self) -> bytes:
        return orjson.dumps({"code": self.code, "details": self.details, "hint": self.hint, "message": self.message})


def unparsable(what: str, text: str) -> RestError:
    return RestError(400, "PGRST100", f'"failed to parse {what} ({text})"', details=f"unexpected {what}: {text}")


def not_here(what: str) -> RestError:
    """PostgREST can do it, the embedded default cannot: say so rather than answer wrongly."""
    return RestError(
        400, "PGRST127", "Feature not implemented", details=f"{what} is not part of the embedded Supabase",
        hint="Use a full Supabase (`supabase start` or the cloud), or ask in another way",
    )  # fmt: skip


def invalid_body(message: str) -> RestError:
    return RestError(400, "PGRST102", message)


def not_one_row(rows: int) -> RestError:
    return RestError(
        406, "PGRST116", "Cannot coerce the result to a single JSON object", details=f"The result contains {rows} rows"
    )


def unknown_table(schema: str, name: str) -> RestError:
    return RestError(404, "PGRST205", f"Could not find the table '{schema}.{name}' in the schema cache")


def unknown_column(table: str, name: str) -> RestError:
    return RestError(400, "PGRST204", f"Could not find the '{name}' column of '{table}' in the schema cache")


def database_gone() -> RestError:
    return RestError(503, "PGRST001", "Database client error. Retrying the connection.")


# The longest prefix of the SQLSTATE decides; anything else is 400.
_STATUS_BY_SQLSTATE = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "21000": 500, "23503": 409, "23505": 409, "25006": 405, "25": 500,
    "28": 403, "2D": 500, "38": 500, "39": 500, "3B": 500, "40": 500, "53400": 500, "53": 503, "54": 500, "55": 500,
    "57P01": 503, "57": 500, "58": 500, "F0": 500, "HV": 500, "P0001": 400, "P0": 500, "XX": 500,
    "42883": 404, "42P01": 404, "42P17": 500,
}  # fmt: skip


def from_postgres(error: psycopg.Error, role: str) -> RestError:
    """What PostgREST answers to `role` for an error of the database."""
    state, diagnosis = error.sqlstate, error.diag
    if state is None and isinstance(error, psycopg.DataError):
        # The driver itself sends no NUL; the server would say this.
        return RestError(400, "22021", 'invalid byte sequence for encoding "UTF8": 0x00')
    if state is None:
        return database_gone()
    message = diagnosis.message_primary or ""
    return RestError(
        _status(state, message, role), state, message, details=diagnosis.message_detail, hint=diagnosis.message_hint
    )


def _status(state: str, message: str, role: str) -> int:
    if state == "42501":
        return 401 if role == "anon" else 403
    if re.fullmatch(r"PT\d{3}", state):
        return int(state[2:])
    if state == "22023" and re.fullmatch(r"role .* does not exist", message):
        return 401
    return _STATUS_BY_SQLSTATE.get(state) or _STATUS_BY_SQLSTATE.get(state[:2], 400)
