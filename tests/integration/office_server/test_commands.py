"""Commands: asked once, found again, withdrawn, and refused with words when they are wrong."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.office_server.conftest import Api, Project
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
PROMPT = {"text": "make test", "role": "BE"}


async def commands_of(project: Project, admin: Api) -> int:
    [(count,)] = await project.sql("select count(*) from agent_commands where office_id = %s", admin.office)
    return count


async def test_the_same_key_asks_once_and_answers_as_the_first_time(admin: Api, project: Project):
    first = await admin.post("/prompts", PROMPT, key="k1")
    again = await admin.post("/prompts", PROMPT | {"role": "be"}, key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert await commands_of(project, admin) == 1


async def test_the_same_key_at_the_same_moment_asks_once(admin: Api, project: Project):
    answers = await asyncio.gather(*(admin.post("/prompts", PROMPT, key="k2") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["command_id"] for answer in answers}) == 1
    assert await commands_of(project, admin) == 1


async def test_a_key_that_was_used_for_something_else_is_a_conflict(admin: Api):
    first = await admin.post("/prompts", PROMPT, key="k3")
    other = await admin.post("/prompts", PROMPT | {"text": "make other"}, key="k3")
    assert_problem(other, 409, "conflict", "used before")
    assert other.json()["command_id"] == first.json()["command_id"]


async def test_a_prompt_asked_again_after_its_session_ended_still_answers_as_the_first_time(
    admin: Api, machine: Machine
):
    session = (await admin.post("/sessions", {"role": "BE"}, key="s")).json()["id"]
    assert (await admin.post("/sessions", {"role": "BE"}, key="s")).json()["id"] == session
    first = await admin.post(f"/sessions/{session}/prompt", {"text": "x"}, key="k4", wait=10)
    await admin.delete(f"/sessions/{session}")
    again = await admin.post(f"/sessions/{session}/prompt", {"text": "x"}, key="k4", wait=10)
    assert again.json() == first.json()


async def test_any_command_can_be_asked_for(admin: Api, machine: Machine):
    session = (await admin.post("/sessions", {"role": "BE"})).json()["id"]
    body = {"command_type": "send_keys", "payload": {"keys": ["enter"]}, "session_id": session, "priority": 5}
    asked = await admin.post("/commands", body)
    assert asked.status_code == 202, asked.text
    command = (await admin.get(f"/commands/{asked.json()['command_id']}", wait=10)).json()
    assert (command["status"], command["priority"], command["success"]) == ("completed", 5, True)
    assert [result["attempt"] for result in command["results"]] == [1]
    assert command["created_at"] <= command["claimed_at"] <= command["finished_at"]


async def test_commands_are_listed_newest_first_page_by_page(admin: Api):
    ids = [(await admin.post("/prompts", PROMPT | {"text": f"{n}"})).json()["command_id"] for n in range(5)]
    seen: list[str] = []
    before: dict[str, int] = {}
    while True:
        page = (await admin.get("/commands", limit=2, **before)).json()
        seen += [command["id"] for command in page["commands"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == ids[::-1]


async def test_commands_are_found_by_status_and_type_and_session(admin: Api, machine: Machine):
    session = (await admin.post("/sessions", {"role": "BE"})).json()["id"]
    machine.paused = True
    await admin.post("/prompts", PROMPT)

    async def found(**by: Any) -> list[str]:
        return [command["command_type"] for command in (await admin.get("/commands", **by)).json()["commands"]]

    assert await found(status=["pending", "processing"]) == ["send_prompt"]
    assert await found(type="create_session") == ["create_session"]
    assert await found(session_id=session) == ["create_session"]
    assert await found(status="lost") == []


async def test_a_command_says_why_it_waits(admin: Api):
    asked = (await admin.post("/prompts", PROMPT)).json()
    waiting = (await admin.get(f"/commands/{asked['command_id']}")).json()["waiting"]
    assert waiting["reason"] == "no_client"
    assert "has joined" in waiting["detail"]
    assert "semo clients invite" in waiting["advice"]


async def test_a_command_that_nobody_took_can_be_withdrawn(admin: Api, machine: Machine):
    machine.paused = True
    asked = (await admin.post("/prompts", PROMPT)).json()["command_id"]
    waiting = asyncio.create_task(admin.get(f"/commands/{asked}", wait=10))
    withdrawn = await admin.post(f"/commands/{asked}/cancel")
    assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "cancelled")
    assert (await waiting).json()["status"] == "cancelled"
    assert (await admin.post(f"/commands/{asked}/cancel")).status_code == 200


async def test_a_command_that_was_taken_cannot_be_withdrawn(admin: Api, machine: Machine):
    asked = (await admin.post("/prompts", PROMPT, wait=10)).json()["command_id"]
    assert_problem(await admin.post(f"/commands/{asked}/cancel"), 409, "conflict", "can no longer be withdrawn")


async def test_a_command_that_nobody_took_in_time_expires(admin: Api):
    deadline = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
    body = {"command_type": "send_prompt", "payload": PROMPT, "deadline": deadline}
    asked = (await admin.post("/commands", body)).json()["command_id"]
    command = (await admin.get(f"/commands/{asked}", wait=10)).json()
    assert (command["status"], command["success"], command["results"]) == ("expired", False, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "must not be empty"), ("x" * 2**20, "1048576 bytes long; at most 262144"), ("a\0b", "NUL")],
)
async def test_a_prompt_that_cannot_be_typed_is_refused_with_its_reason(
    admin: Api, machine: Machine, project: Project, text: str, words: str
):
    session = (await admin.post("/sessions", {"role": "BE"})).json()["id"]
    before = await commands_of(project, admin)
    assert_problem(await admin.post(f"/sessions/{session}/prompt", {"text": text}), 422, "invalid_payload", words)
    assert_problem(await admin.post("/prompts", {"text": text, "role": "BE"}), 422, "invalid_payload", words)
    assert await commands_of(project, admin) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"command_type": "format_disk"}, "command_type: Input should be 'create_session'"),
        ({"command_type": "send_prompt", "payload": {"text": "x"}}, 'needs a session_id, or a "role"'),
        ({"command_type": "send_prompt", "payload": {"text": "x", "role": "Nobody"}}, 'unknown role "Nobody"'),
        ({"command_type": "create_session", "payload": {"role": "BE", "argv": "rm"}}, 'unknown field "argv"'),
        ({"command_type": "create_session", "payload": {"role": "BE", "task": "../up"}}, '"task" may hold only'),
        ({"command_type": "resize", "payload": {}}, '"cols" is missing'),
        ({"command_type": "send_prompt", "payload": []}, "payload: Input should be a valid dictionary"),
        ({"command_type": "send_prompt", "payload": PROMPT, "priority": 1000}, "priority: Input should be less"),
        ({"command_type": "send_prompt", "payload": PROMPT, "author": "root"}, "author: Extra inputs"),
        ({}, "command_type: Field required"),
    ],
)
async def test_a_wrong_command_is_refused_with_its_reason(
    admin: Api, project: Project, body: dict[str, Any], words: str
):
    assert_problem(await admin.post("/commands", body), 422, "invalid_payload", words)
    assert await commands_of(project, admin) == 0


async def test_a_command_for_somebody_unknown_is_not_found(admin: Api, project: Project):
    for body in (
        {"command_type": "send_prompt", "payload": PROMPT, "client_id": str(uuid4())},
        {"command_type": "cancel", "session_id": str(uuid4())},
    ):
        assert_problem(await admin.post("/commands", body), 404, "not_found")
    assert await commands_of(project, admin) == 0


async def test_what_is_no_request_is_refused(admin: Api):
    at = f"{admin.base}/prompts"
    json = {"Content-Type": "application/json"}
    broken = await admin.http.post(at, content=b'{"text": ', headers=json)
    assert_problem(broken, 422, "invalid_payload", "not valid JSON")
    half = await admin.http.post(at, content=b'{"text": "\\ud800", "role": "BE"}', headers=json)
    assert_problem(half, 422, "invalid_payload", "text")
    huge = await admin.http.post(at, content=b" " * 3_000_000, headers=json)
    assert_problem(huge, 413, "body_too_large")
    assert_problem(await admin.get("/nothing"), 404, "not_found")
    assert_problem(await admin.put("/commands", {}), 405, "method_not_allowed")
    assert_problem(await admin.get("/commands", limit=0), 422, "invalid_payload", "limit")
    assert_problem(await admin.get("/commands/not-an-id"), 422, "invalid_payload", "command_id")
    assert_problem(await admin.post("/prompts", PROMPT, wait=31), 422, "invalid_payload", "wait")
    assert_problem(await admin.post("/prompts", PROMPT, key="a b"), 422, "invalid_payload", "Idempotency-Key")
