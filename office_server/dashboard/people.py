"""Who a signed-in browser is, looked up anew for everything it does, and what that person may ask of which route."""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from office_server.access import Access, InOffice, User, not_a_member, role_in, still_valid, who_shows
from office_server.enrollment import hash_of
from office_server.rows import Token
from office_server.services import Services
from office_server.tokens import PREFIX
from shared.errors import Unauthenticated
from shared.states import MemberRole

Route = Callable[..., Any]
"""A function of the API, such as `sessions.send_prompt`."""


@dataclass(frozen=True)
class Who:
    """Who looks at an office, as people call them, and what they may do there. `email`: of a person with a password."""

    caller: Token | User
    name: str
    role: MemberRole
    email: str | None


def name_of(caller: Token | User) -> str:
    """How the sign-in cookie names somebody."""
    return f"token:{caller.id}" if isinstance(caller, Token) else f"user:{caller.id}"


async def who_looks(services: Services, access: Access) -> Who:
    caller, role = access.token, role_in(access.token, access.office.id)
    if isinstance(caller, Token):
        return Who(caller, caller.name, role, None)
    members = await services.backend.members.of(access.office.id)
    email = next((one.email for one in members if one.user_id == caller.id), None)
    return Who(caller, email or str(caller.id), role, email)


async def who_signs_in(services: Services, secret: str) -> str:
    """Whom a token or a one-time code signs in.

    Raises:
        Unauthenticated: the token is not valid.
        BadEnrollmentCode: the code is wrong, used or too old.
    """
    if secret.startswith(PREFIX):
        return name_of(await who_shows(services, secret))
    return await services.backend.pages.redeem_sign_in_code(hash_of(secret))


async def who_has(services: Services, email: str, password: str) -> str:
    """Whom the password of a user of Supabase Auth signs in.

    Raises:
        Unauthenticated: it is nobody's.
    """
    return f"user:{await services.backend.members.who_has(email, password)}"


async def who_is(services: Services, person: str) -> Token | User:
    """
    Raises:
        Unauthenticated: that token is valid no more.
        Forbidden: that person is a member of no office any more.
    """
    kind, _, key = person.partition(":")
    if kind == "token":
        return await still_valid(services, await services.backend.tokens.get(UUID(key)))
    if kind != "user":
        raise Unauthenticated("This sign-in is of a kind that the office does not know.")
    roles = await services.backend.members.roles_of(UUID(key))
    if not roles:
        raise not_a_member()
    return User(UUID(key), datetime.max.replace(tzinfo=UTC), roles)  # until when, the cookie says


@cache
def needed_for(route: Route) -> MemberRole:
    """The least role that a route lets in, as its own signature says."""
    return gate_of(route).least


@cache
def gate_of(route: Route) -> InOffice:
    for hint in typing.get_type_hints(route, include_extras=True).values():
        for extra in getattr(hint, "__metadata__", ()):
            gate = getattr(extra, "dependency", None)
            if isinstance(gate, InOffice):
                return gate
    raise TypeError(f"{route.__name__} lets nobody of an office in")


@cache
def access_argument(route: Route) -> str:
    """The name under which a route takes who calls."""
    gate = gate_of(route)
    for name, hint in typing.get_type_hints(route, include_extras=True).items():
        if any(getattr(extra, "dependency", None) is gate for extra in getattr(hint, "__metadata__", ())):
            return name
    raise TypeError(f"{route.__name__} takes nobody")
