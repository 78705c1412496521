"""Every error as problem+json, and the few errors that only a server of HTTP knows."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from office_server import unknown
from shared.errors import InvalidPayload, OfficeError, Refused, Unauthenticated, Unavailable, by_code

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


class BodyTooLarge(Refused):
    code = "body_too_large"
    status = 413
    title = "The request is larger than this server takes."


class MethodNotAllowed(Refused):
    code = "method_not_allowed"
    status = 405
    title = "This address does not take that method."


class TooManyRequests(Unavailable):
    code = "too_many_requests"
    status = 429
    title = "Too many tries; wait a little."


class CommandFailed(OfficeError):
    """The command ran, or was withdrawn or expired, and did not succeed; `error_code` says how."""

    code = "command_failed"
    status = 502
    title = "The command did not succeed."

    def __init__(self, error_code: str, detail: str | None, **context: object) -> None:
        known = by_code().get(error_code)
        super().__init__(detail or (known.title if known else None))
        self.context = context
        self.error_code = error_code
        self.http_status = known.status if known else self.status
        self.http_title = known.title if known else self.title


class Problem(BaseModel):
    """What went wrong (RFC 9457). More members say what it is about, such as command_id."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:semo:problem:not_found"], description="stable; tell problems apart by this")
    title: str = Field(examples=["There is no such thing here."])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no session 0b1c… in office 77aa…."])
    instance: str = Field(examples=["/api/offices/77aa…/sessions/0b1c…"])
    advice: str | None = Field(default=None, examples=["create another one; its output and its branch are kept"])


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        401: "No token, or none that is valid",
        403: "The token's role or office does not allow it",
        404: "No such thing",
        405: "The address does not take that method",
        409: "Not possible in the present state",
        410: "The session is over",
        413: "The request is too large",
        422: "The request says something that it may not say",
        429: "Too many tries",
        502: "The machine that did the work failed",
        503: "Supabase does not answer",
        504: "The wait ran out; the work goes on",
    }.items()
}
"""The problems that any address may answer, for the OpenAPI document."""


def answer(request: Request, error: OfficeError) -> JSONResponse:
    """The problem+json for an error."""
    code, status, title = error.code, error.status, error.title
    if isinstance(error, CommandFailed):
        code, status, title = error.error_code, error.http_status, error.http_title
    problem = Problem(
        type=f"urn:semo:problem:{code}",
        title=title,
        status=status,
        detail=error.detail,
        instance=request.url.path,
        advice=error.advice,
        **cast("dict[str, Any]", jsonable_encoder(error.context)),
    )
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="semo office"'
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.context.get("retry_after_s", 60))
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes `app` answer every error as problem+json."""
    app.add_exception_handler(OfficeError, _office_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _office_error(request: Request, error: Exception) -> JSONResponse:
    return answer(request, cast("OfficeError", error))


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    found = cast("RequestValidationError", error).errors()
    wrong = [_in_words(item) for item in found]
    return answer(request, InvalidPayload("; ".join(wrong) + "."))


def _in_words(item: Mapping[str, Any]) -> str:
    """One complaint of pydantic, without the value, which may be large or secret."""
    if item["type"] == "json_invalid":
        return "the body is not valid JSON"
    where = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
    return f"{where}: {item['msg']}"


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status = cast("HTTPException", error).status_code
    match status:
        case HTTPStatus.NOT_FOUND:
            return answer(request, unknown.address(request.url.path))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            problem = answer(request, MethodNotAllowed(f"{request.url.path} does not take {request.method}."))
            problem.headers.update(cast("HTTPException", error).headers or {})
            return problem
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return answer(request, BodyTooLarge(cast("HTTPException", error).detail))
        case HTTPStatus.UNAUTHORIZED:
            return answer(request, Unauthenticated())
        case _:
            return answer(request, InvalidPayload("The request could not be read."))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected_error", path=request.url.path, exc_info=error)
    return answer(request, OfficeError())
