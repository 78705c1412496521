"""Who calls and what they may do: from the bearer token to an office and a role in it.

A bearer is a token of the office (semo_…), or that of a person who signed in to Supabase Auth and is a member.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

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
_NEW_TOKEN = "ask an admin of the office for a new one"  # noqa: S105  advice, not a secret
_bearer = HTTPBearer(auto_error=False, description="A token of the office (semo_…), or of a person's Supabase sign-in")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True)
class User:
    """A person who signed in, and what they may do in which office."""

    id: UUID
    expires_at: datetime
    roles: Mapping[OfficeId, MemberRole]


@dataclass(frozen=True)
class Access:
    """A caller who was let into an office."""

    office: Office
    token: Token | User

    @property
    def author(self) -> str:
        return author_of(self.token)


def author_of(caller: Token | User) -> str:
    """How a caller is named in what it makes."""
    return f"token:{caller.name}" if isinstance(caller, Token) else f"user:{caller.id}"


async def who_calls(services: ServicesDep, credentials: Credentials) -> Token | User:
    """The caller, who has not called too often.

    Raises:
        Unauthenticated: nobody that is known.
        TooManyRequests: too often.
    """
    secret = credentials.credentials if credentials else ""
    if not secret:
        raise Unauthenticated("No token was sent.", advice="send it as: Authorization: Bearer semo_…")
    caller = await (who_shows(services, secret) if secret.startswith(PREFIX) else _who_signed_in(services, secret))
    services.request_tries.note(str(caller.id))
    return caller


async def who_shows(services: Services, secret: str) -> Token:
    """The token that this is the secret of. Raises Unauthenticated."""
    token = await services.backend.tokens.find(hash_of(secret)) if secret.startswith(PREFIX) else None
    return await still_valid(services, token)


async def still_valid(services: Services, token: Token | None) -> Token:
    """The token, now noted as used. Raises Unauthenticated."""
    now = datetime.now(UTC)
    if token is None:
        raise Unauthenticated("This token is not valid.", advice=_NEW_TOKEN)
    if token.revoked_at is not None:
        raise Unauthenticated("This token was revoked: it is not valid any more.", advice=_NEW_TOKEN)
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated("This token has expired.", advice=_NEW_TOKEN)
    if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
        await services.backend.tokens.used(token.id, now)
    return token


async def still_let_in(services: Services, access: Access) -> None:
    """Whoever was let in a while ago still would be.

    Raises:
        Unauthenticated, Forbidden: no longer.
        BackendDown: it cannot be told now.
    """
    caller = access.token
    if isinstance(caller, Token):
        await still_valid(services, await services.backend.tokens.get(caller.id))
        return
    if caller.expires_at <= datetime.now(UTC):
        raise Unauthenticated("This sign-in has expired.", advice="sign in again")
    if access.office.id not in await services.backend.members.roles_of(caller.id):
        raise not_a_member()


async def offices_of(services: Services, caller: Token | User) -> list[Office]:
    """Those in which the token is valid, or of which the person is a member. By name."""
    if isinstance(caller, Token):
        return await services.backend.offices.all(None if caller.office_id is None else [caller.office_id])
    return await services.backend.offices.all(caller.roles) if caller.roles else []


async def _who_signed_in(services: Services, secret: str) -> User:
    person = await services.user_tokens.person(secret)
    return User(person.id, person.expires_at, await services.backend.members.roles_of(person.id))


Caller = Annotated[Token | User, Depends(who_calls)]


def everywhere(least: MemberRole) -> Callable[..., Coroutine[Any, Any, Token]]:
    """A dependency that lets in tokens of that role that are bound to no office."""

    async def check(caller: Caller) -> Token:
        if not isinstance(caller, Token) or caller.office_id is not None:
            raise Forbidden(
                "This needs a token that is valid in every office; yours is not.",
                advice="use the first token, the one that semo server init showed",
            )
        _check_role(caller.role, least)
        act_for(Actor(author_of(caller), caller.id))
        return caller

    return check


@dataclass(frozen=True)
class InOffice:
    """A dependency that lets in those who are at least `least` in the office that the address names."""

    least: MemberRole

    async def __call__(self, office_id: OfficeId, services: ServicesDep, credentials: Credentials) -> Access:
        return await self.let_in(services, office_id, who_calls(services, credentials))

    async def let_in(self, services: Services, office_id: OfficeId, calling: Awaitable[Token | User]) -> Access:
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
        _check_role(role_in(caller, office_id), self.least)
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


def role_in(caller: Token | User, office: OfficeId) -> MemberRole:
    """Raises Forbidden when the caller has none."""
    if isinstance(caller, User):
        if office not in caller.roles:
            raise not_a_member()
        return caller.roles[office]
    if caller.office_id not in (None, office):
        raise Forbidden("Your token is for another office.", advice="GET /api/offices lists those it is for")
    return caller.role


def not_a_member() -> Forbidden:
    return Forbidden("You are not a member of this office.", advice="ask an admin of the office to add you")


def _check_role(role: MemberRole, least: MemberRole) -> None:
    if not role.allows(least):
        raise Forbidden(
            f'This takes the role "{least}"; yours is "{role}".',
            advice=f'ask an admin of the office for the role "{least}"',
        )
