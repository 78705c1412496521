"""How a machine joins: a code from an admin, spent once, for a Supabase user of the machine's own."""

import asyncio
import base64
import hashlib
import re
from typing import Any

import httpx
import pytest
from supabase import AsyncClient, AsyncClientOptions

from office_server.backend import open_backend
from office_server.invitation import Invitation
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


async def test_an_invitation_is_a_code_a_command_a_link_and_a_picture(admin: Api, server: str):
    made = (await admin.post("/enrollments")).json()
    assert made["command"] == f"semo client join {made['code']} --office-url {server}"
    assert made["link"] == f"{server}/join#{made['code']}"
    assert made["qr_svg"].startswith("<svg ")
    assert made["code"] not in made["qr_svg"], "drawn, not written"
    assert made["qr_svg"] == Invitation(made["code"], server).svg()


async def test_the_links_of_a_server_behind_a_proxy_are_as_it_was_told(project: Project, admin: Api):
    async with (
        running_server(project.settings(public_url="https://office.example/semo/")) as server,
        httpx.AsyncClient(base_url=server, headers=admin.http.headers) as http,
    ):
        made = (await http.post(f"/api/offices/{admin.office}/enrollments")).json()
    assert made["link"] == f"https://office.example/semo/join#{made['code']}"


async def test_the_page_of_a_link_runs_its_own_script_alone_and_is_kept_nowhere(server: str):
    async with httpx.AsyncClient(base_url=server) as http:
        page = await http.get("/join")
    assert (page.status_code, page.headers["cache-control"], page.headers["referrer-policy"]) == (
        200, "no-store", "no-referrer",
    )  # fmt: skip
    policy = page.headers["content-security-policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "default-src 'none'" in policy


async def token_of(joined: dict[str, Any], project: Project) -> str:
    async with httpx.AsyncClient() as http:
        said = await http.post(
            f"{project.url}/auth/v1/token?grant_type=password",
            headers={"apikey": project.publishable_key},
            json={"email": joined["email"], "password": joined["password"]},
        )
    return said.json()["access_token"]


async def test_a_machine_that_shows_who_it_is_serves_a_second_office_as_the_same_client(
    admin: Api, server: str, project: Project
):
    joined = (await enroll(server, await invite(admin))).json()
    [(other,)] = await project.sql("insert into offices (name) values ('second ' || gen_random_uuid()) returning id")
    second = Api(admin.http, str(other))
    users_before, code = await users(project), await invite(second)
    bearer = {"Authorization": f"Bearer {await token_of(joined, project)}"}
    async with httpx.AsyncClient(base_url=server) as http:
        again = await http.post("/api/enroll", json={"code": code, "name": "ignored"}, headers=bearer)
    assert again.status_code == 200, again.text
    assert (again.json()["client_id"], again.json()["password"]) == (joined["client_id"], None)
    assert await users(project) == users_before
    for office in (admin, second):
        [listed] = (await office.get("/clients")).json()["clients"]
        assert (listed["id"], listed["name"]) == (joined["client_id"], "macbook-3")

    assert (await admin.delete(f"/clients/{joined['client_id']}")).status_code == 204
    assert (await admin.get("/clients")).json()["clients"] == []
    [listed] = (await second.get("/clients")).json()["clients"]
    assert listed["revoked_at"] is None, "it only left the first"


@pytest.mark.parametrize("whose", ["nobody's", "the service's", "a person's"])
async def test_a_token_that_is_no_machines_joins_nothing_and_leaves_the_code_good(
    admin: Api, server: str, project: Project, whose: str
):
    code = await invite(admin)
    token = {"nobody's": "x.y.z", "the service's": project.service_role_key}.get(whose)
    if token is None:
        made = {"email": f"{admin.office}@example.invalid", "password": "long enough a password"}
        async with httpx.AsyncClient(headers={"apikey": project.service_role_key}) as http:
            http.headers["Authorization"] = f"Bearer {project.service_role_key}"
            await http.post(f"{project.url}/auth/v1/admin/users", json=made | {"email_confirm": True})
        token = await token_of(made, project)
    async with httpx.AsyncClient(base_url=server, headers={"Authorization": f"Bearer {token}"}) as http:
        assert_problem(await http.post("/api/enroll", json={"code": code, "name": "x"}), 401, "unauthenticated")
    assert (await enroll(server, code)).status_code == 200


async def test_revoking_deletes_the_user_and_what_auth_missed_is_made_up_for(admin: Api, server: str, project: Project):
    joined = (await enroll(server, await invite(admin))).json()
    token = await token_of(joined, project)
    assert (await admin.delete(f"/clients/{joined['client_id']}")).status_code == 204
    client = joined["client_id"]
    assert await project.sql("select user_id from remote_clients where id = %s", client) == [(None,)]
    async with httpx.AsyncClient() as http:
        own = {"p_client": client, "p_epoch": 0}
        headers = {"apikey": project.publishable_key, "Authorization": f"Bearer {token}"}
        told = await http.post(f"{project.url}/rest/v1/rpc/heartbeat", json=own, headers=headers)
    assert told.json()["code"] == "SO008", "its last token is told why"

    late = (await enroll(server, await invite(admin))).json()
    await project.sql("select revoke_client(%s)", late["client_id"])  # as if Auth had been away just then
    async with open_backend(project.url, project.service_role_key) as backend:
        assert await backend.clients.delete_users_of_revoked() == 1
        assert await backend.clients.delete_users_of_revoked() == 0


async def test_a_machine_is_renamed_and_drained(admin: Api, server: str):
    client = (await enroll(server, await invite(admin))).json()["client_id"]
    changed = await admin.patch(f"/clients/{client}", {"name": "macbook-4", "draining": True})
    assert changed.status_code == 200, changed.text
    assert changed.json()["name"] == "macbook-4"
    since = changed.json()["draining_since"]
    assert since is not None
    again = await admin.patch(f"/clients/{client}", {"draining": True})
    assert again.json()["draining_since"] == since, "twice is once"
    assert (await admin.patch(f"/clients/{client}", {"draining": False})).json()["draining_since"] is None
    assert_problem(await admin.patch(f"/clients/{client}", {}), 422, "invalid_payload", "name or draining")
