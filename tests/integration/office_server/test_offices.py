"""Offices, their personas and their machines."""

import asyncio
from uuid import uuid4

import pytest

from shared.channels import DONE_MARKER
from tests.integration.office_server.conftest import Api, Project
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
DRAFT = {
    "name": "Services",
    "persona_prompt": "You build services.",
    "scope_patterns": ["src/**"],
    "core_skills": ["SQL"],
}


async def test_an_office_is_made_found_and_changed(admin: Api):
    name = f"web/{uuid4()}"
    made = await admin.http.post("/api/offices", json={"name": name, "session_limit": 4})
    assert made.status_code == 201, made.text
    office = made.json()
    assert (office["session_limit"], office["idle_seconds"], office["warm_roles"]) == (4, 600, ["FE", "BE", "QA"])
    at = f"/api/offices/{office['id']}"
    assert (await admin.http.get(at)).json() == office
    changed = await admin.http.patch(at, json={"warm_roles": ["BE"], "idle_seconds": 60})
    assert changed.json() == office | {"warm_roles": ["BE"], "idle_seconds": 60}
    assert (await admin.http.patch(at, json={})).json() == changed.json()
    assert name in [found["name"] for found in (await admin.http.get("/api/offices")).json()["offices"]]

    taken = await admin.http.post("/api/offices", json={"name": name})
    assert_problem(taken, 409, "conflict")
    for wrong in ({"name": " "}, {"name": "x", "session_limit": 0}, {"name": "x", "id": str(uuid4())}, {"name": "a\0"}):
        assert_problem(await admin.http.post("/api/offices", json=wrong), 422, "invalid_payload")


async def test_an_office_says_what_else_to_look_for(admin: Api):
    review: dict[str, object] = {"name": "needs_review", "kind": "marker", "literal": "[ACME:REVIEW]", "anchors": []}
    at = f"/api/offices/{admin.office}"
    assert (await admin.http.get(at)).json()["patterns"] == []
    assert (await admin.http.patch(at, json={"patterns": [review]})).json()["patterns"] == [review]
    assert (await admin.http.patch(at, json={"session_limit": 5})).json()["patterns"] == [review]
    for wrong in ([review, review], [review | {"name": "done"}], [review | {"regex": "("}], [review] * 51, "x"):
        assert_problem(await admin.http.patch(at, json={"patterns": wrong}), 422, "invalid_payload")
    assert (await admin.http.patch(at, json={"patterns": []})).json()["patterns"] == []


async def test_every_office_begins_with_the_default_personas_rendered(admin: Api):
    personas = (await admin.get("/personas")).json()["personas"]
    assert [persona["role"] for persona in personas] == ["Architect", "BE", "DevOps", "FE", "PM", "PO", "QA"]
    async with asyncio.timeout(30):
        while True:
            persona = (await admin.get("/personas/be")).json()
            if persona["rendered"]:
                break
    assert DONE_MARKER in persona["rendered"]
    assert persona["rendered_version"] == persona["version"]


async def test_an_office_may_have_a_persona_of_its_own(admin: Api, project: Project):
    put = await admin.put("/personas/be", DRAFT)
    assert put.status_code == 200, put.text
    own = put.json()
    assert (own["role"], own["office_id"], own["version"]) == ("BE", admin.office, 1)
    assert "You build services." in own["rendered"]
    again = (await admin.put("/personas/BE", DRAFT | {"name": "Other"})).json()
    assert (again["id"], again["version"], again["rendered_version"]) == (own["id"], 2, 2)
    assert "You are Other (BE)" in again["rendered"]
    roles = [persona["role"] for persona in (await admin.get("/personas")).json()["personas"]]
    assert roles.count("BE") == 1
    [(default,)] = await project.sql("select name from agent_personas where office_id is null and role = 'BE'")
    assert default == "Backend Engineer"

    assert (await admin.put("/personas/Data", DRAFT)).status_code == 200
    assert (await admin.post("/prompts", {"text": "x", "role": "data"})).status_code == 202


async def test_a_persona_can_be_seen_before_it_is_kept(admin: Api):
    preview = await admin.post("/personas/BE/preview", DRAFT)
    assert "You build services." in preview.json()["text"]
    assert (await admin.get("/personas/BE")).json()["office_id"] is None


async def test_a_wrong_persona_is_refused(admin: Api):
    assert_problem(await admin.get("/personas/Nobody"), 404, "not_found", '"Nobody"')
    assert_problem(await admin.put("/personas/no%20body", DRAFT), 422, "invalid_payload", "role")
    for wrong in ({"persona_prompt": ""}, {"persona_prompt": "a\0"}, {"name": ""}, {"core_skills": ["\0"]}):
        assert_problem(await admin.put("/personas/BE", DRAFT | wrong), 422, "invalid_payload")


async def test_a_persona_changed_by_hand_is_rendered_again(admin: Api, project: Project):
    own = (await admin.put("/personas/BE", DRAFT)).json()
    await project.sql("update agent_personas set persona_prompt = 'By hand.' where id = %s", own["id"])
    async with asyncio.timeout(30):
        while "By hand." not in (await admin.get("/personas/BE")).json()["rendered"]:
            pass


async def test_machines_are_listed_renamed_and_shut_out(admin: Api, machine: Machine):
    [listed] = (await admin.get("/clients")).json()["clients"]
    assert (listed["id"], listed["online"], listed["capabilities"]["default_agent"]) == (machine.client, True, "shell")
    renamed = await admin.patch(f"/clients/{machine.client}", {"name": "mac"})
    assert renamed.json()["name"] == "mac"
    machine.paused = True
    assert (await admin.delete(f"/clients/{machine.client}")).status_code == 204
    [revoked] = (await admin.get("/clients")).json()["clients"]
    assert (revoked["online"], revoked["revoked_at"] is None) == (False, False)
    assert_problem(await admin.delete(f"/clients/{uuid4()}"), 404, "not_found")
    assert_problem(await admin.patch(f"/clients/{uuid4()}", {"name": "x"}), 404, "not_found")


async def test_a_machine_of_several_offices_leaves_only_the_one(admin: Api, machine: Machine, project: Project):
    [(other,)] = await project.sql("insert into offices (name) values (%s) returning id", f"other/{uuid4()}")
    await project.sql("insert into client_offices (client_id, office_id) values (%s, %s)", machine.client, other)
    assert (await admin.delete(f"/clients/{machine.client}")).status_code == 204
    assert (await admin.get("/clients")).json()["clients"] == []
    assert await project.sql("select 1 from remote_clients where id = %s and revoked_at is null", machine.client)
