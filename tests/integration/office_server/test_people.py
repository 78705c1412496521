"""People who signed in to Supabase Auth: what they may do stands in office_members, and commands carry their name."""

import time
from uuid import UUID, uuid4

import jwt
import pytest

from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller, running_server
from tests.integration.office_server.test_access import assert_problem
from tests.support.embedded import EmbeddedPostgres

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def person(project: Project, office: str, role: str | None) -> UUID:
    user = uuid4()
    await project.sql("insert into auth.users (id) values (%s)", user)
    if role:
        await project.sql("insert into office_members values (%s, %s, %s)", office, user, role)
    return user


async def test_a_member_may_do_what_the_role_allows_and_is_the_author_of_it(
    project: Project, office_id: str, embedded_postgres: EmbeddedPostgres
):
    secret = embedded_postgres.keys.jwt_secret

    def signed_in(user: UUID) -> str:
        claims = {"sub": str(user), "aud": "authenticated", "iss": f"{project.url}/auth/v1", "exp": time.time() + 60}
        return jwt.encode(claims, secret, "HS256")

    operator, stranger = await person(project, office_id, "operator"), await person(project, office_id, None)
    async with running_server(project.settings(jwt_secret=secret)) as url:
        async with caller(url, office_id, signed_in(operator)) as api:
            command = (await api.post("/prompts", {"text": "x", "role": "BE"})).json()["command_id"]
            assert (await api.get(f"/commands/{command}")).json()["author"] == f"user:{operator}"
            assert_problem(await api.get("/tokens"), 403, "forbidden", '"admin"')
            offices = (await api.http.get("/api/offices")).json()["offices"]
            assert [office["id"] for office in offices] == [office_id]
            assert_problem(await api.http.post("/api/offices", json={"name": "x"}), 403, "forbidden", "every office")
            await project.sql("delete from office_members where user_id = %s", operator)
            assert_problem(await api.get("/commands"), 403, "forbidden", "not a member")
        async with caller(url, office_id, signed_in(stranger)) as api:
            assert_problem(await api.get("/sessions"), 403, "forbidden", "not a member")
            assert (await api.http.get("/api/offices")).json() == {"offices": []}
        async with caller(url, office_id, project.service_role_key) as api:
            assert_problem(await api.get("/sessions"), 401, "unauthenticated")
    asked = await project.sql("select actor from audit_log where action = 'command.asked' and subject = %s", command)
    assert asked == [(f"user:{operator}",)]


async def test_admins_read_who_did_what_newest_first(admin: Api):
    made = (await admin.post("/tokens", {"name": "ci", "role": "viewer"})).json()
    await admin.delete(f"/tokens/{made['id']}")
    page = (await admin.get("/audit", limit=1)).json()
    assert [(act["action"], act["subject"]) for act in page["acts"]] == [("token.revoked", made["id"])]
    assert page["acts"][0]["actor"] == "token:test-admin"
    rest = (await admin.get("/audit", before=page["next"])).json()
    assert [act["action"] for act in rest["acts"]] == ["token.added", "office.added"]


async def test_a_token_that_asks_too_often_is_told_when_to_come_back(
    project: Project, office_id: str, new_token: TokenMaker
):
    async with running_server(project.settings(requests_per_minute=2)) as url:
        async with caller(url, office_id, await new_token()) as api:
            answers = [await api.get("/sessions") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 61
        assert answers[0].headers["x-content-type-options"] == "nosniff"
        assert answers[0].headers["cache-control"] == "no-store"
        async with caller(url, office_id, await new_token()) as another:
            assert (await another.get("/sessions")).status_code == 200
