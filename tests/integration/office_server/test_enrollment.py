"""How a machine joins: a code from an admin, spent once, for a Supabase user of the machine's own."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from supabase import AsyncClient, AsyncClientOptions

from tests.integration.office_server.conftest import Api, Project, running_server
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def invite(admin: Api) -> str:
    made = await admin.post("/enrollments")
    assert made.status_code == 201, made.text
    return made.json()["code"]


async def enroll(server: str, code: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server) as http:
        return await http.post("/api/enroll", json={"code": code, "name": "macbook-3"} | more)


async def users(project: Project) -> int:
    [(count,)] = await project.sql("select count(*) from auth.users")
    return count


async def test_a_code_lets_one_machine_in_with_a_user_of_its_own(admin: Api, server: str, project: Project):
    code = await invite(admin)
    assert re.fullmatch(r"[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}", code)
    answer = await enroll(server, code.lower())
    assert answer.status_code == 200, answer.text
    joined = answer.json()
    assert (joined["office_id"], joined["supabase_url"]) == (admin.office, project.url)
    assert joined["publishable_key"] == project.publishable_key

    async with httpx.AsyncClient() as http:
        options = AsyncClientOptions(httpx_client=http)
        client = AsyncClient(joined["supabase_url"], joined["publishable_key"], options)
        signed_in = await client.auth.sign_in_with_password({"email": joined["email"], "password": joined["password"]})
        assert signed_in.user is not None
        assert signed_in.user.app_metadata["client_id"] == joined["client_id"]
        terms: Any = await client.rpc(
            "register_client",
            {"p_client": joined["client_id"], "p_capabilities": {}, "p_capacity": 3, "p_version": "1"},
        ).execute()
        assert terms.data["epoch"] == 1
        await client.auth.sign_out()

    [listed] = (await admin.get("/clients")).json()["clients"]
    assert (listed["id"], listed["name"], listed["online"]) == (joined["client_id"], "macbook-3", True)


async def test_a_code_is_spent_once_even_by_two_machines_at_the_same_moment(admin: Api, server: str, project: Project):
    code = await invite(admin)
    before = await users(project)
    answers = await asyncio.gather(*(enroll(server, code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]
    assert await users(project) == before + 1, "a user was left behind"
    assert_problem(await enroll(server, code), 403, "bad_enrollment_code", "already used")


async def test_a_wrong_or_old_code_lets_nobody_in(admin: Api, server: str, project: Project):
    before = await users(project)
    assert_problem(await enroll(server, "AAAA-AAAA"), 403, "bad_enrollment_code")
    code = await invite(admin)
    await project.sql("update enrollments set expires_at = now() where office_id = %s", admin.office)
    assert_problem(await enroll(server, code), 403, "bad_enrollment_code", "older than its time")
    assert await users(project) == before


async def test_only_a_hash_of_a_code_is_kept(admin: Api, project: Project):
    code = await invite(admin)
    [(row,)] = await project.sql("select to_jsonb(e)::text from enrollments e where office_id = %s", admin.office)
    assert code not in row
    assert code.replace("-", "") not in row
    assert "token:test-admin" in row


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name: Value error, may hold only printable"),
        ({"code": ""}, "code"),
        ({"role": "admin"}, "role"),
    ],
)
async def test_a_malformed_request_to_join_is_refused(server: str, body: dict[str, str], words: str):
    assert_problem(await enroll(server, **({"code": "AAAA-AAAA"} | body)), 422, "invalid_payload", words)


async def test_a_large_body_is_not_read_from_a_stranger(server: str):
    assert_problem(await enroll(server, "A" * 5000), 413, "body_too_large")


async def test_codes_cannot_be_guessed_one_after_another(project: Project):
    async with running_server(project.settings(enroll_per_minute=3)) as server:
        for _ in range(3):
            assert (await enroll(server, "AAAA-AAAA")).status_code == 403
        answer = await enroll(server, "AAAA-AAAA")
        assert_problem(answer, 429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= 61
