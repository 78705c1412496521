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


async def test_a_code_that_is_asked_for_again_is_the_same_and_lets_one_machine_in(admin: Api, project: Project):
    key = str(uuid4())
    first, again = await admin.post("/enrollments", key=key), await admin.post("/enrollments", key=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (await admin.post("/enrollments", key=str(uuid4()))).json()["code"] != first.json()["code"]
    joined = await admin.http.post("/api/enroll", json={"code": first.json()["code"], "name": "once"})
    assert joined.status_code == 200, joined.text
    late = await admin.post("/enrollments", key=key)
    assert late.json() == first.json(), "spent, and told as it was"
    second = await admin.http.post("/api/enroll", json={"code": first.json()["code"], "name": "twice"})
    assert second.status_code == 403
    assert len((await admin.get("/clients")).json()["clients"]) == 1
    kept = await project.sql("select string_agg(e::text, '') from enrollments e")
    assert first.json()["code"].replace("-", "") not in kept[0][0]


async def test_jobs_that_are_added_again_with_the_same_key_are_there_once(admin: Api):
    plan = (await admin.post("/plans", {"name": "p", "defaults": {"role": "BE"}, "prompts": ["x"]})).json()
    jobs = {"name": "more", "defaults": {"role": "BE"}, "jobs": [{"name": "a", "prompt": "y"}]}
    added = [await admin.post(f"/plans/{plan['id']}/jobs", jobs, key="k") for _ in range(2)]
    assert [one.status_code for one in added] == [201, 201], added[1].text
    assert added[0].json() == added[1].json()
    assert (await admin.get(f"/plans/{plan['id']}")).json()["progress"]["total"] == 2
    other = jobs | {"jobs": [{"name": "b", "prompt": "z"}]}
    assert_problem(await admin.post(f"/plans/{plan['id']}/jobs", other, key="k"), 409, "conflict", "Idempotency-Key")
    elsewhere = (await admin.post("/plans", {"name": "q", "defaults": {"role": "BE"}, "prompts": ["x"]})).json()
    assert (await admin.post(f"/plans/{elsewhere['id']}/jobs", other, key="k")).status_code == 201


async def test_a_spec_task_and_what_is_left_for_it_are_made_once(admin: Api, project: Project):
    wish = {"title": "Sign in", "description": "by e-mail"}
    made = [await admin.post("/spec-tasks", wish, key="k") for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201], made[1].text
    assert made[0].json() == made[1].json()
    other = wish | {"description": "by phone"}
    assert_problem(await admin.post("/spec-tasks", other, key="k"), 409, "conflict", "Idempotency-Key")
    assert_problem(await admin.post("/spec-tasks", wish, key="k2"), 409, "conflict", "already")
    assert (await admin.post("/spec-tasks", wish | {"title": "Sign out"}, key="k2")).status_code == 201, "as it failed"

    left = [await admin.post("/spec-tasks/sign-in/messages", {"text": "hello"}, key="m") for _ in range(2)]
    assert left[0].json() == left[1].json()
    await project.sql("update spec_tasks set status = 'implementation' where name = 'sign-in'")
    added = [await admin.post("/spec-tasks/sign-in/sessions", {"title": "More"}, key="s") for _ in range(2)]
    assert [one.json() for one in added] == [{"label": "s1", "role": "BE"}] * 2
    told = [one["kind"] for one in (await admin.get("/spec-tasks/sign-in/events")).json()["events"]]
    assert (told.count("message"), told.count("spawned")) == (1, 1)
    await admin.post("/spec-tasks/sign-in/cancel")
