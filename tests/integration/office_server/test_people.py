"""People who signed in to Supabase Auth: what they may do stands in office_members, and commands carry their name."""

import time
from uuid import UUID, uuid4

import jwt
import pytest

from office_server.backend import open_backend
from shared.errors import Unauthenticated
from shared.ids import OfficeId
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


async def test_admins_let_people_in_change_and_remove_them_and_who_is_new_gets_a_password_once(
    project: Project, office_id: str, admin: Api
):
    email = f"Ada.{uuid4().hex[:8]}@example.com"
    key = uuid4().hex
    made = await admin.post("/members", {"email": email, "role": "operator"}, key=key)
    assert (made.status_code, made.json()["role"]) == (201, "operator")
    user, password = made.json()["user_id"], made.json()["password"]
    again = await admin.post("/members", {"email": email, "role": "operator"}, key=key)
    assert (again.json()["user_id"], again.json()["password"]) == (user, password)
    assert_problem(await admin.post("/members", {"email": email.upper(), "role": "viewer"}), 409, "conflict", "already")
    assert_problem(await admin.post("/members", {"email": "nobody", "role": "viewer"}), 422, "invalid_payload")

    async with open_backend(project.url, project.service_role_key) as backend:
        assert str(await backend.members.who_has(email, password)) == user
        with pytest.raises(Unauthenticated):
            await backend.members.who_has(email, "another")
        # Whoever asks next is still the service, not who signed in.
        assert str((await backend.members.of(OfficeId(UUID(office_id))))[0].user_id) == user

    changed = await admin.patch(f"/members/{user}", {"role": "viewer"})
    assert changed.json()["role"] == "viewer"
    assert [one["email"] for one in (await admin.get("/members")).json()["members"]] == [email.lower()]
    assert (await admin.delete(f"/members/{user}")).status_code == 204
    assert_problem(await admin.delete(f"/members/{user}"), 404, "not_found", "no member")
    known = (await admin.post("/members", {"email": email, "role": "admin"})).json()
    assert (known["user_id"], known["password"]) == (user, None)


async def test_machines_are_no_people(project: Project, office_id: str, admin: Api):
    user, email = uuid4(), f"client-{uuid4()}@clients.semo.invalid"
    await project.sql("insert into auth.users (id, email) values (%s, %s)", user, email)
    await project.sql("insert into remote_clients (id, user_id, name) values (%s, %s, 'm')", uuid4(), user)
    assert_problem(await admin.post("/members", {"email": email, "role": "admin"}), 409, "conflict", "already")
    assert await project.sql("select 1 from office_members where user_id = %s", user) == []
