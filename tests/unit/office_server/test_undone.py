"""What PostgreSQL undid for another's sake is tried again; nothing else is."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import AsyncClient

from office_server.acting import HEADER, Actor, act_for
from office_server.backend.connection import Connection, Undone
from shared.errors import Conflict, OfficeError

DEADLOCK, SERIALIZATION, TAKEN = "40P01", "40001", "23505"


@dataclass
class Query:
    """Fails with each of the codes in turn, then succeeds."""

    codes: list[str]
    tries: int = 0
    request: Any = field(default_factory=lambda: SimpleNamespace(headers={}))

    async def execute(self) -> Any:
        self.tries += 1
        if self.codes:
            raise APIError({"code": self.codes.pop(0), "message": "no", "hint": None, "details": None})
        return SimpleNamespace(data=[], count=0)


async def run(query: Query) -> None:
    await Connection(cast(AsyncClient, None), cast(httpx.AsyncClient, None)).do(query)


async def test_a_deadlock_and_a_failed_serialization_are_tried_again():
    query = Query([DEADLOCK, SERIALIZATION, DEADLOCK])
    await run(query)
    assert query.tries == 4


async def test_one_that_never_ends_is_told_as_something_that_may_work_later():
    query = Query([DEADLOCK] * 9)
    with pytest.raises(Undone) as told:
        await run(query)
    assert (query.tries, told.value.status) == (5, 503)


@pytest.mark.parametrize(("code", "error"), [(TAKEN, Conflict), ("XX000", OfficeError)])
async def test_what_may_have_happened_is_never_tried_again(code: str, error: type[OfficeError]):
    query = Query([code])
    with pytest.raises(error):
        await run(query)
    assert query.tries == 1


async def test_each_call_says_for_whom_it_is_made():
    query = Query([])
    act_for(Actor("token:café"))
    await run(query)
    assert query.request.headers[HEADER] == '{"name": "token:caf\\u00e9", "id": null}'
