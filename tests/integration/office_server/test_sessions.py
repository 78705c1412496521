"""The seven session addresses, through a real gateway, with a machine that answers."""

import asyncio
from uuid import uuid4

import pytest

from tests.integration.office_server.conftest import Api, Project
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def make_session(admin: Api) -> str:
    made = await admin.post("/sessions", {"role": "BE"})
    assert made.status_code == 201, made.text
    return made.json()["id"]


async def test_a_session_is_made_prompted_read_and_ended(admin: Api, machine: Machine):
    made = await admin.post("/sessions", {"role": "be"})
    assert made.status_code == 201, made.text
    session = made.json()
    assert (session["role"], session["status"], session["client_id"]) == ("BE", "ready", machine.client)
    at = f"/sessions/{session['id']}"

    prompted = await admin.post(f"{at}/prompt", {"text": "make test"}, wait=10)
    assert prompted.status_code == 200, prompted.text
    assert (prompted.json()["status"], prompted.json()["success"]) == ("completed", True)
    assert prompted.json()["result"]["outcome"] == "done"

    await machine.report_output(session["id"], 0, "ok ✔\r\n")
    output = (await admin.get(f"{at}/output", after=3)).json()
    assert output == {"output": "✔\r\n", "start": 3, "next": 8, "status": "ready"}

    assert (await admin.post(f"{at}/cancel")).json()["status"] == "ready"
    ended = await admin.delete(at)
    assert (ended.status_code, ended.json()["status"]) == (200, "terminated")
    assert (await admin.get(at)).json()["ended_at"] is not None
    assert [found["id"] for found in (await admin.get("/sessions")).json()["sessions"]] == [session["id"]]
    assert (await admin.get("/sessions", status="ready")).json()["sessions"] == []


async def test_a_prompt_is_answered_at_once_with_its_command(admin: Api, machine: Machine):
    session = await make_session(admin)
    machine.paused = True
    answer = await admin.post(f"/sessions/{session}/prompt", {"text": "make test"})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    machine.paused = False
    command = (await admin.get(f"/commands/{answer.json()['command_id']}", wait=10)).json()
    assert (command["status"], command["success"], command["author"]) == ("completed", True, "token:test-admin")


async def test_a_failed_prompt_is_an_answer_and_not_a_problem(admin: Api, machine: Machine):
    session = await make_session(admin)
    answer = await admin.post(f"/sessions/{session}/prompt", {"text": "fail please"}, wait=10)
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert answer.json()["error_code"] == "turn_error"
    assert answer.json()["result"]["outcome"] == "error"


async def test_a_wait_that_ran_out_says_so_and_the_work_goes_on(admin: Api, machine: Machine):
    session = await make_session(admin)
    answer = await admin.post(f"/sessions/{session}/prompt", {"text": "hang"}, wait=0.3)
    assert answer.status_code == 504
    problem = answer.json()
    assert problem["type"] == "urn:semo:problem:wait_ran_out"
    command = (await admin.get(f"/commands/{problem['command_id']}")).json()
    assert command["status"] == "processing"


async def test_a_session_that_cannot_be_made_is_a_problem_with_the_machines_own_words(admin: Api, machine: Machine):
    answer = await admin.post("/sessions", {"role": "BE", "task": "fail"})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:semo:problem:policy_forbids"
    assert answer.json()["detail"] == "the rule allowed_roots forbids it"
    assert "command_id" in answer.json()


async def test_nobody_waits_who_does_not_want_to(admin: Api):
    answer = await admin.post("/sessions", {"role": "BE"}, wait=0)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


async def test_a_session_that_has_ended_takes_no_prompt_and_stays_ended(admin: Api, machine: Machine, project: Project):
    session = await make_session(admin)
    await admin.delete(f"/sessions/{session}")
    before = await project.sql("select count(*) from agent_commands")
    refused = await admin.post(f"/sessions/{session}/prompt", {"text": "more"})
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:semo:problem:session_ended")
    again = await admin.delete(f"/sessions/{session}")
    assert (again.status_code, again.json()) == (200, {"command_id": None, "status": "terminated"})
    assert await project.sql("select count(*) from agent_commands") == before


async def test_output_is_waited_for(admin: Api, machine: Machine):
    session = await make_session(admin)
    waiting = asyncio.create_task(admin.get(f"/sessions/{session}/output", after=0, wait=10))
    await machine.report_output(session, 0, "hello")
    assert (await waiting).json()["output"] == "hello"


async def test_output_that_never_comes_ends_the_wait_with_nothing(admin: Api, machine: Machine):
    session = await make_session(admin)
    answer = await admin.get(f"/sessions/{session}/output", after=0, wait=0.3)
    assert answer.json() == {"output": "", "start": 0, "next": 0, "status": "ready"}


async def test_a_prompt_without_a_session_names_a_role(admin: Api, machine: Machine):
    answer = await admin.post("/prompts", {"text": "make test", "role": "QA"}, wait=10)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    refused = await admin.post("/prompts", {"text": "make test", "role": "Nobody"})
    assert refused.status_code == 422
    assert 'unknown role "Nobody"' in refused.json()["detail"]
    assert "BE" in refused.json()["advice"]


async def test_what_does_not_exist_is_not_found(admin: Api):
    nowhere = uuid4()
    for answer in (
        await admin.get(f"/sessions/{nowhere}"),
        await admin.get(f"/sessions/{nowhere}/output"),
        await admin.delete(f"/sessions/{nowhere}"),
        await admin.post(f"/sessions/{nowhere}/prompt", {"text": "hi"}),
        await admin.post(f"/sessions/{nowhere}/cancel"),
        await admin.get(f"/commands/{nowhere}"),
    ):
        assert_problem(answer, 404, "not_found", str(nowhere))
        advice = answer.json()["advice"]
        listed = advice.removeprefix("GET ").partition(" ")[0]
        assert (await admin.http.get(listed)).status_code == 200, advice
