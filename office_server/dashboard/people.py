"""Who a signed-in browser is, looked up anew for everything it does, and what that person may ask of which route."""

import typing
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

from office_server.access import Access, InOffice, User, author_of, still_valid, who_shows
from office_server.enrollment import hash_of
from office_server.rows import Token
from office_server.services import Services
from office_server.tokens import PREFIX
from shared.errors import Forbidden, Unauthenticated
from shared.states import MemberRole

Route = Callable[..., Any]
"""A function of the API, such as `sessions.send_prompt`."""


def name_of(caller: Token | User) -> str:
    """How the sign-in cookie names the holder of a token. Raises Forbidden for whoever holds none of ours."""
    if not isinstance(caller, Token):
        raise Forbidden(
            "A browser is signed in with a token of the office.", advice="ask an admin of the office for one"
        )
    return f"token:{caller.id}"


def token_of(access: Access) -> Token:
    """Raises Unauthenticated: browsers are signed in with tokens alone."""
    if not isinstance(access.token, Token):
        raise Unauthenticated
    return access.token


async def who_signs_in(services: Services, secret: str) -> str:
    """Whom a token or a one-time code signs in.

    Raises:
        Unauthenticated: the token is not valid.
        BadEnrollmentCode: the code is wrong, used or too old.
    """
    if secret.startswith(PREFIX):
        return name_of(await who_shows(services, secret))
    return await services.backend.pages.redeem_sign_in_code(hash_of(secret))


async def who_is(services: Services, person: str) -> Token:
    """Raises Unauthenticated when that person may come in no more."""
    kind, _, key = person.partition(":")
    if kind != "token":
        raise Unauthenticated("This sign-in is of a kind that the office does not know.")
    return await still_valid(services, await services.backend.tokens.get(UUID(key)))


def author(token: Token) -> str:
    return author_of(token)


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
