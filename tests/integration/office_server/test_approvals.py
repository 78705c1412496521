"""Approvals by REST: listed, approved or denied once by an operator, and refused with words when it is too late."""

import pytest

from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked(admin: Api, machine: Machine) -> str:
    """The id of what an agent asks leave for."""
    await admin.post("/prompts", {"text": "ask me", "role": "BE"})
    return await machine.asked.get()


async def test_what_waits_for_an_answer_is_listed_whole(admin: Api, machine: Machine):
    first, second = await asked(admin, machine), await asked(admin, machine)
    listed = (await admin.get("/approvals", status="pending")).json()
    assert [one["id"] for one in listed["approvals"]] == [second, first]
    assert listed["next"] is None
    one = (await admin.get(f"/approvals/{first}")).json()
    assert (one["tool"], one["input"], one["cwd"], one["status"]) == (
        "Bash",
        {"command": "git push"},
        "/src",
        "pending",
    )
    assert one["requested_at"] <= one["created_at"] < one["expires_at"]
    page = (await admin.get("/approvals", limit=1)).json()
    rest = (await admin.get("/approvals", limit=1, before=page["next"])).json()
    assert [one["id"] for one in page["approvals"] + rest["approvals"]] == [second, first]
    assert (await admin.get("/approvals", status="denied")).json()["approvals"] == []
    of_session = (await admin.get("/approvals", session_id=one["session_id"])).json()
    of_command = (await admin.get("/approvals", command_id=one["command_id"])).json()
    assert [found["id"] for found in of_session["approvals"] + of_command["approvals"]] == [first, first]


@pytest.mark.parametrize(("verb", "status"), [("approve", "approved"), ("deny", "denied")])
async def test_an_answer_is_given_once(admin: Api, machine: Machine, verb: str, status: str):
    approval = await asked(admin, machine)
    answer = {"message": "not on a Friday", "digest": "a" * 64}
    answered = await admin.post(f"/approvals/{approval}/{verb}", answer)
    assert answered.status_code == 200, answered.text
    assert (answered.json()["status"], answered.json()["answered_by"]) == (status, "token:test-admin")
    again = await admin.post(f"/approvals/{approval}/{verb}", answer)
    assert again.json() == answered.json()
    other = await admin.post(f"/approvals/{approval}/{'deny' if verb == 'approve' else 'approve'}", {})
    assert_problem(other, 409, "conflict", f"was {status} by token:test-admin")


async def test_an_answer_is_for_the_action_that_was_looked_at(admin: Api, machine: Machine):
    approval = await asked(admin, machine)
    forged = await admin.post(f"/approvals/{approval}/approve", {"digest": "b" * 64})
    assert_problem(forged, 409, "conflict", "another action")
    assert (await admin.get(f"/approvals/{approval}")).json()["status"] == "pending"


async def test_what_came_too_late_is_refused_and_settled_by_the_server(admin: Api, machine: Machine, project: Project):
    approval = await asked(admin, machine)
    await project.sql("update approvals set expires_at = now() where id = %s", approval)
    late = await admin.post(f"/approvals/{approval}/approve", {})
    assert_problem(late, 409, "conflict", "expired")


async def test_viewers_look_and_operators_answer(
    admin: Api, machine: Machine, server: str, office_id: str, new_token: TokenMaker
):
    approval = await asked(admin, machine)
    async with caller(server, office_id, await new_token(MemberRole.VIEWER)) as viewer:
        assert (await viewer.get(f"/approvals/{approval}")).status_code == 200
        assert_problem(await viewer.post(f"/approvals/{approval}/approve", {}), 403, "forbidden", "operator")
    async with caller(server, office_id, await new_token(MemberRole.OPERATOR, office_id)) as operator:
        assert (await operator.post(f"/approvals/{approval}/deny", {})).status_code == 200


async def test_approvals_of_another_office_are_not_there(
    admin: Api, machine: Machine, server: str, project: Project, new_token: TokenMaker
):
    approval = await asked(admin, machine)
    [(other,)] = await project.sql("insert into offices (name) values (%s) returning id", f"other {approval}")
    async with caller(server, str(other), await new_token()) as stranger:
        assert (await stranger.get("/approvals")).json()["approvals"] == []
        for path in (f"/approvals/{approval}/approve", f"/approvals/{approval}/deny"):
            assert_problem(await stranger.post(path, {}), 404, "not_found", "no approval")


async def test_an_office_says_how_long_requests_wait(admin: Api, machine: Machine):
    assert (await admin.get("")).json()["approval_seconds"] == 900
    assert (await admin.patch("", {"approval_seconds": 20})).json()["approval_seconds"] == 20
    assert (await admin.patch("", {"approval_seconds": 9})).status_code == 422
    approval = (await admin.get(f"/approvals/{await asked(admin, machine)}")).json()
    assert approval["expires_at"] > approval["created_at"]
