"""Who is let in: tokens, their roles, their offices, their end."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller

pytestmark = pytest.mark.asyncio(loop_scope="session")


def assert_problem(answer: httpx.Response, status: int, code: str, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:semo:problem:{code}", status)
    assert words in problem["detail"]
    assert problem["instance"] == answer.request.url.path
    if status in (401, 403, 404):
        assert problem["advice"], problem


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "No token was sent"),
        ("Basic c2VtbzpzZW1v", "No token was sent"),
        ("Bearer semo_wrong", "not valid"),
        ("Bearer other", "not valid"),
    ],
)
async def test_without_a_valid_token_nobody_is_let_in(server: str, office_id: str, header: str, words: str):
    async with httpx.AsyncClient(base_url=server, headers={"Authorization": header} if header else {}) as http:
        for path in ("/api/offices", f"/api/offices/{office_id}/sessions", f"/api/offices/{uuid4()}/sessions"):
            answer = await http.get(path)
            assert_problem(answer, 401, "unauthenticated", words)
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_was_revoked_or_has_expired_is_over_at_once(
    server: str, office_id: str, new_token: TokenMaker, admin: Api
):
    expired = await new_token(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with caller(server, office_id, expired) as api:
        assert_problem(await api.get("/sessions"), 401, "unauthenticated", "expired")
    made = (await admin.post("/tokens", {"name": "ci", "role": "operator"})).json()
    async with caller(server, office_id, made["secret"]) as api:
        assert (await api.get("/sessions")).status_code == 200
        assert (await admin.delete(f"/tokens/{made['id']}")).status_code == 204
        assert_problem(await api.get("/sessions"), 401, "unauthenticated", "not valid")


async def test_each_role_may_do_what_is_its_own(server: str, office_id: str, new_token: TokenMaker):
    async with (
        caller(server, office_id, await new_token(MemberRole.VIEWER)) as viewer,
        caller(server, office_id, await new_token(MemberRole.OPERATOR)) as operator,
    ):
        prompt = {"text": "make test", "role": "BE"}
        assert (await viewer.get("/commands")).status_code == 200
        assert_problem(await viewer.post("/prompts", prompt), 403, "forbidden", '"operator"')
        assert (await operator.post("/prompts", prompt)).status_code == 202
        for refused in (
            await operator.post("/enrollments"),
            await operator.post("/tokens", {"name": "x", "role": "admin"}),
            await operator.get("/tokens"),
            await operator.patch("", {"session_limit": 3}),
            await operator.put("/personas/BE", {"name": "B", "persona_prompt": "p"}),
            await operator.delete(f"/clients/{uuid4()}"),
        ):
            assert_problem(refused, 403, "forbidden", '"admin"')


async def test_a_token_of_one_office_opens_no_other(
    server: str, office_id: str, new_token: TokenMaker, project: Project
):
    [(other,)] = await project.sql("insert into offices (name) values (%s) returning id", f"other/{uuid4()}")
    async with caller(server, str(other), await new_token(MemberRole.ADMIN, office=office_id)) as api:
        assert_problem(await api.get("/sessions"), 403, "forbidden", "another office")
        offices = (await api.http.get("/api/offices")).json()["offices"]
        assert [office["id"] for office in offices] == [office_id]
        assert_problem(await api.http.post("/api/offices", json={"name": "mine"}), 403, "forbidden", "every office")


async def test_an_office_that_does_not_exist_is_not_found(server: str, new_token: TokenMaker):
    async with caller(server, str(uuid4()), await new_token()) as api:
        assert_problem(await api.get("/sessions"), 404, "not_found", "There is no office")
        refused = await api.post("/prompts", {"text": "make test", "role": "BE"})
        assert_problem(refused, 404, "not_found", "There is no office")


async def test_a_token_is_shown_once_and_kept_as_a_hash(admin: Api, project: Project):
    made = (await admin.post("/tokens", {"name": "ci", "role": "viewer"})).json()
    assert made["secret"].startswith("semo_")
    listed = (await admin.get("/tokens")).json()["tokens"]
    assert [token["name"] for token in listed] == ["ci"]
    assert made["secret"] not in str(listed)
    rows = await project.sql("select to_jsonb(t)::text from api_tokens t where id = %s", made["id"])
    assert made["secret"] not in rows[0][0]
    assert_problem(await admin.delete(f"/tokens/{uuid4()}"), 404, "not_found", "There is no token")


async def test_it_is_noted_when_a_token_was_used(admin: Api, project: Project):
    await admin.get("/sessions")
    assert await project.sql("select 1 from api_tokens where last_used_at > now() - interval '1 minute'")
