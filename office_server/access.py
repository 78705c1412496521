"""Who calls and what they may do: from the bearer token to an office and a role in it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from office_server import unknown
from office_server.acting import Actor, act_for
from office_server.rows import Office, Token
from office_server.services import Services, ServicesDep
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
    return await who_shows(services, secret)


async def who_shows(services: Services, secret: str) -> Token:
    """The token that this is the secret of. Raises Unauthenticated."""
    token = await services.backend.tokens.find(hash_of(secret)) if secret.startswith(PREFIX) else None
    return await still_valid(services, token)


async def still_valid(services: Services, token: Token | None) -> Token:
    """The token, now noted as used. Raises Unauthenticated."""
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
        act_for(Actor(author_of(caller), caller.id))
        if caller.office_id is not None:
            raise Forbidden(
                "This needs a token that is valid in every office; yours is for one.",
                advice="use the first token, the one that semo server init showed",
            )
        return caller

    return check


@dataclass(frozen=True)
class InOffice:
    """A dependency that lets in those who are at least `least` in the office that the address names."""

    least: MemberRole

    async def __call__(self, office_id: OfficeId, services: ServicesDep, credentials: Credentials) -> Access:
        return await self.let_in(services, office_id, who_calls(services, credentials))

    async def let_in(self, services: Services, office_id: OfficeId, calling: Awaitable[Token]) -> Access:
        """
        Raises:
            Unauthenticated: `calling` does.
            Forbidden: the role or the office of the caller does not allow it.
            NotFound: there is no such office.
        """
        caller, office = await asyncio.gather(calling, services.backend.offices.find(office_id), return_exceptions=True)
        # The caller comes first: whoever is not known learns nothing of which offices there are.
        if isinstance(caller, BaseException):
            raise caller
        if caller.office_id not in (None, office_id):
            raise Forbidden("Your token is for another office.", advice="GET /api/offices lists those it is for")
        _check_role(caller, self.least)
        if isinstance(office, BaseException):
            raise office
        if office is None:
            raise unknown.office(office_id)
        act_for(Actor(author_of(caller), caller.id))
        return Access(office, caller)


Viewer = Annotated[Access, Depends(InOffice(MemberRole.VIEWER))]
Operator = Annotated[Access, Depends(InOffice(MemberRole.OPERATOR))]
Admin = Annotated[Access, Depends(InOffice(MemberRole.ADMIN))]
AdminEverywhere = Annotated[Token, Depends(everywhere(MemberRole.ADMIN))]


def _check_role(caller: Token, least: MemberRole) -> None:
    if not caller.role.allows(least):
        raise Forbidden(
            f'This takes the role "{least}"; your token has "{caller.role}".',
            advice=f'ask an admin of the office for a token with the role "{least}"',
        )
