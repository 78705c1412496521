"""GoTrue's error bodies: the older form, and the one that a client of API version 2024-01-01 asks for."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

_VERSION_HEADER = "X-Supabase-Api-Version"
_NEW_FORM_SINCE = "2024-01-01"


class AuthError(Exception):
    """An answer that is an error; `error_code` is one of GoTrue's."""

    def __init__(self, status: int, error_code: str, message: str, **extra: Any) -> None:
        self.status = status
        self.error_code = error_code
        self.message = message
        self.extra = extra
        super().__init__(message)

    def response(self, request: Request) -> JSONResponse:
        if request.headers.get(_VERSION_HEADER, "") >= _NEW_FORM_SINCE:
            body = {"code": self.error_code, "message": self.message, **self.extra}
            return JSONResponse(body, self.status, {_VERSION_HEADER: _NEW_FORM_SINCE})
        body = {"code": self.status, "error_code": self.error_code, "msg": self.message, **self.extra}
        return JSONResponse(body, self.status)


def invalid_credentials() -> AuthError:
    return AuthError(400, "invalid_credentials", "Invalid login credentials")


def validation_failed(message: str) -> AuthError:
    return AuthError(400, "validation_failed", message)


def user_not_found() -> AuthError:
    return AuthError(404, "user_not_found", "User not found")


def not_here(what: str) -> AuthError:
    """GoTrue can do it, the embedded default cannot: say so rather than answer wrongly."""
    return AuthError(501, "not_implemented", f"{what} is not part of the embedded Supabase")
