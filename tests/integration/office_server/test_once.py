"""Idempotency keys: whatever a POST creates, it creates once."""

from uuid import uuid4

import httpx
import pytest

from tests.integration.office_server.conftest import Api, Project, caller
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_token_that_is_asked_for_again_is_the_same_and_still_opens(
    admin: Api, server: str, office_id: str, project: Project
):
    wanted = {"name": "ci", "role": "operator", "expires_at": "2099-01-01T00:00:00Z"}
    first = (await admin.post("/tokens", wanted, key="k1")).json()
    again = await admin.post("/tokens", wanted, key="k1")
    assert (again.status_code, again.json()) == (201, first)
    async with caller(server, office_id, first["secret"]) as api:
        assert (await api.get("/sessions")).status_code == 200
    assert len((await admin.get("/tokens")).json()["tokens"]) == 1
    for other in ({"role": "admin"}, {"expires_at": "2098-01-01T00:00:00Z"}):
        assert_problem(await admin.post("/tokens", wanted | other, key="k1"), 409, "conflict", "Idempotency-Key")
    assert (await admin.post("/tokens", wanted, key="k2")).json()["secret"] != first["secret"]
    kept = await project.sql("select string_agg(t::text, '') from api_tokens t")
    assert first["secret"] not in kept[0][0]


async def test_an_office_that_is_asked_for_again_is_the_same(admin: Api):
    async def ask(key: str | None, **wanted: object) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await admin.http.post("/api/offices", json=wanted, headers=headers)

    key, name = str(uuid4()), f"once/{uuid4()}"
    first = await ask(key, name=name, session_limit=2)
    again = await ask(key, name=name, session_limit=2)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert_problem(await ask(key, name=name, session_limit=3), 409, "conflict", "Idempotency-Key")
    assert_problem(await ask(None, name=name), 409, "conflict")
