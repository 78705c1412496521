"""Who calls and what they may do: from the bearer token to an office and a role in it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from office_server import unknown
from office_server.rows import Office, Token
from office_server.services import ServicesDep
from office_server.tokens import PREFIX, hash_of
from shared.errors import Forbidden, Unauthenticated
from shared.ids import OfficeId
from shared.states import MemberRole

_USE_NOTED_EVERY = timedelta(minutes=1)
_bearer = HTTPBearer(auto_error=False, description="A token of the office: semo_…")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True)
class Access:
    """A caller who was let into an office."""

    office: Office
    token: Token

    @property
    def author(self) -> str:
        return author_of(self.token)


def author_of(token: Token) -> str:
    """How a caller is named in what it makes."""
    return f"token:{token.name}"


async def who_calls(services: ServicesDep, credentials: Credentials) -> Token:
    """The caller's token. Raises Unauthenticated."""
    secret = credentials.credentials if credentials else ""
    if not secret:
        raise Unauthenticated("No token was sent.", advice="send it as: Authorization: Bearer semo_…")
    token = await services.backend.tokens.find(hash_of(secret)) if secret.startswith(PREFIX) else None
    now = datetime.now(UTC)
    if token is None or token.revoked_at is not None:
        raise Unauthenticated("This token is not valid.", advice="ask an admin of the office for a new one")
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated("This token has expired.", advice="ask an admin of the office for a new one")
    if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
        await services.backend.tokens.used(token.id, now)
    return token


Caller = Annotated[Token, Depends(who_calls)]


def everywhere(least: MemberRole) -> Callable[..., Coroutine[Any, Any, Token]]:
    """A dependency that lets in tokens of that role that are bound to no office."""

    async def check(caller: Caller) -> Token:
        _check_role(caller, least)
        if caller.office_id is not None:
            raise Forbidden(
                "This needs a token that is valid in every office; yours is for one.",
                advice="use the first token, the one that semo server init showed",
            )
        return caller

    return check


def in_office(least: MemberRole) -> Callable[..., Coroutine[Any, Any, Access]]:
    """A dependency that lets in those who are at least `least` in the office that the address names."""

    async def check(office_id: OfficeId, services: ServicesDep, credentials: Credentials) -> Access:
        caller, office = await asyncio.gather(
            who_calls(services, credentials), services.backend.offices.find(office_id), return_exceptions=True
        )
        # The caller comes first: whoever is not known learns nothing of which offices there are.
        if isinstance(caller, BaseException):
            raise caller
        if caller.office_id not in (None, office_id):
            raise Forbidden("Your token is for another office.", advice="GET /api/offices lists those it is for")
        _check_role(caller, least)
        if isinstance(office, BaseException):
            raise office
        if office is None:
            raise unknown.office(office_id)
        return Access(office, caller)

    return check


Viewer = Annotated[Access, Depends(in_office(MemberRole.VIEWER))]
Operator = Annotated[Access, Depends(in_office(MemberRole.OPERATOR))]
Admin = Annotated[Access, Depends(in_office(MemberRole.ADMIN))]
AdminEverywhere = Annotated[Token, Depends(everywhere(MemberRole.ADMIN))]


def _check_role(caller: Token, least: MemberRole) -> None:
    if not caller.role.allows(least):
        raise Forbidden(
            f'This takes the role "{least}"; your token has "{caller.role}".',
            advice=f'ask an admin of the office for a token with the role "{least}"',
        )
