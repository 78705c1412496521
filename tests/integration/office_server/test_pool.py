"""The pools of an office over the API: what is taken, what is broken, and why what waits does."""

import pytest

from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
PROMPT = {"text": "make test", "role": "BE"}


async def test_the_pool_of_a_new_office_is_empty_and_says_its_limits(admin: Api):
    answer = await admin.get("/pool")
    assert answer.status_code == 200, answer.text
    pool = answer.json()
    assert (pool["session_limit"], pool["places_taken"], pool["idle_seconds"]) == (6, 0, 600)
    assert pool["warm_roles"] == ["FE", "BE", "QA"]
    assert (pool["clients"], pool["sessions"], pool["circuits"], pool["pending"]) == ([], [], [], [])


async def test_the_pool_shows_who_holds_which_session_and_which_is_idle(admin: Api, machine: Machine):
    held = (await admin.post("/sessions", {"role": "BE"})).json()
    idle = await machine.open_session("QA")

    pool = (await admin.get("/pool")).json()

    [client] = pool["clients"]
    assert (client["client_id"], client["online"], client["agents"]) == (machine.client, True, {"shell": "5"})
    assert (client["capacity"], client["places_taken"], client["holding_back"]) == (6, 1, None)
    assert client["warm_roles"] == ["FE", "BE", "QA"], "it is the only one"
    assert pool["places_taken"] == 1
    sessions = {session["session_id"]: session for session in pool["sessions"]}
    assert set(sessions) == {held["id"], idle}
    assert sessions[held["id"]]["acquired_by"] == held["acquired_by"] is not None
    assert sessions[held["id"]]["held_since"] == held["held_since"]
    assert (sessions[idle]["acquired_by"], sessions[idle]["held_since"]) == (None, None)
    assert sessions[idle]["idle_since"] is not None


async def test_the_pool_says_why_each_command_waits_as_the_command_itself_does(admin: Api, machine: Machine):
    machine.paused = True
    await machine.open_circuit("BE")
    broken = (await admin.post("/prompts", PROMPT)).json()["command_id"]
    unknown = (await admin.post("/prompts", PROMPT | {"agent": "other", "role": "QA"})).json()["command_id"]

    pool = (await admin.get("/pool")).json()

    assert [command["command_id"] for command in pool["pending"]] == [broken, unknown]
    assert [command["waiting"]["reason"] for command in pool["pending"]] == ["circuit_open", "no_client_capable"]
    [circuit] = pool["circuits"]
    assert (circuit["client_id"], circuit["role"], circuit["failures"]) == (machine.client, "BE", 3)
    assert (circuit["error_code"], circuit["error"]) == ("session_failed", "the shell shows no prompt")
    assert circuit["opened_at"] < circuit["open_until"]
    command = (await admin.get(f"/commands/{broken}")).json()
    assert command["waiting"] == pool["pending"][0]["waiting"]
    assert "could not be made on machine" in command["waiting"]["detail"]


async def test_a_machine_without_memory_says_how_much_there_is_and_how_much_it_takes(admin: Api, machine: Machine):
    machine.paused = True
    low = {"reason": "low_memory", "free_mb": 300, "agents": {"shell": {"needed_mb": 517}}}
    asked = (await admin.post("/prompts", PROMPT)).json()["command_id"]
    await machine.claim_holding_back(low)

    pool = (await admin.get("/pool")).json()

    assert pool["clients"][0]["holding_back"] == low
    assert pool["pending"][0]["command_id"] == asked
    assert pool["pending"][0]["waiting"]["reason"] == "low_memory"


async def test_as_many_waiting_commands_are_shown_as_are_asked_for(admin: Api):
    for _ in range(3):
        await admin.post("/prompts", PROMPT)
    pool = (await admin.get("/pool", pending=2)).json()
    assert (len(pool["pending"]), pool["pending_total"]) == (2, 3)
    assert_problem(await admin.get("/pool", pending=501), 422, "invalid_payload")


async def test_a_viewer_sees_the_pool_and_nobody_from_outside(
    server: str, admin: Api, office_id: str, project: Project, new_token: TokenMaker
):
    async with caller(server, office_id, await new_token(MemberRole.VIEWER, office_id)) as viewer:
        assert (await viewer.get("/pool")).status_code == 200
    [(other,)] = await project.sql("insert into offices (name) values ('another/' || gen_random_uuid()) returning id")
    async with caller(server, office_id, await new_token(MemberRole.ADMIN, str(other))) as stranger:
        assert_problem(await stranger.get("/pool"), 403, "forbidden")
    async with caller(server, office_id, "") as nobody:
        assert_problem(await nobody.get("/pool"), 401, "unauthenticated")


# Tries -------------------------------------------------------------------------------------------------------------


async def test_a_prompt_may_be_tried_again_and_each_try_has_its_result(admin: Api, machine: Machine, project: Project):
    asked = await admin.post("/prompts", {"text": "die once", "role": "BE", "max_attempts": 3})
    command_id = asked.json()["command_id"]
    await machine.failed_once.wait()

    between = (await admin.get(f"/commands/{command_id}")).json()
    assert (between["status"], between["attempt"], between["max_attempts"]) == ("pending", 2, 3)
    assert between["waiting"]["reason"] == "not_before"
    assert between["not_before"] is not None
    assert (between["success"], between["error_code"]) == (None, None), "it is not final"
    assert [result["error_code"] for result in between["results"]] == ["turn_error"]

    await project.sql("update agent_commands set not_before = now() where id = %s", command_id)
    done = (await admin.get(f"/commands/{command_id}", wait=10)).json()
    assert (done["status"], done["success"]) == ("completed", True)
    assert [result["success"] for result in done["results"]] == [False, True]


async def test_a_prompt_that_is_withdrawn_between_two_tries_is_cancelled_and_not_failed(
    admin: Api, machine: Machine, project: Project
):
    asked = await admin.post("/prompts", {"text": "die once", "role": "BE", "max_attempts": 3})
    command_id = asked.json()["command_id"]
    await machine.failed_once.wait()
    assert (await admin.post(f"/commands/{command_id}/cancel")).json()["status"] == "cancelled"
    command = (await admin.get(f"/commands/{command_id}")).json()
    assert (command["status"], command["success"], command["error_code"]) == ("cancelled", False, None)
    assert [result["error_code"] for result in command["results"]] == ["turn_error"]


async def test_only_a_prompt_without_a_session_may_be_tried_more_than_once(admin: Api, machine: Machine):
    session = (await admin.post("/sessions", {"role": "BE"})).json()["id"]
    body = {"command_type": "send_prompt", "payload": {"text": "x"}, "session_id": session, "max_attempts": 2}
    assert_problem(await admin.post("/commands", body), 422, "invalid_payload", "only a prompt without a session_id")
    assert_problem(await admin.post("/prompts", PROMPT | {"max_attempts": 4}), 422, "invalid_payload", "max_attempts")
    asked = await admin.post("/commands", {"command_type": "send_prompt", "payload": PROMPT, "max_attempts": 2})
    assert asked.status_code == 202, asked.text


async def test_the_same_key_with_another_number_of_tries_is_a_conflict(admin: Api):
    await admin.post("/prompts", PROMPT, key="tries")
    assert_problem(await admin.post("/prompts", PROMPT | {"max_attempts": 2}, key="tries"), 409, "conflict")
    assert (await admin.post("/prompts", PROMPT, key="tries")).status_code == 202
