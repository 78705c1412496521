"""Pull requests, evidence and conflicts to come by REST and on the command line, with a stand-in for the machine."""

import json
from typing import Any
from uuid import uuid4

import pytest

from semo import gitwork
from semo.office_api import OfficeApi
from semo.problems import SemoError
from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


def branch_of(machine: Machine, branch: str, **more: Any) -> dict[str, Any]:
    return {"client_id": machine.client, "branch": branch, **more}


async def settled(admin: Api, row: dict[str, Any]) -> dict[str, Any]:
    while row["state"] in ("publishing", "merging"):
        row = (await admin.get(f"/pull-requests/{row['id']}")).raise_for_status().json()
    return row


async def test_a_pull_request_is_opened_followed_and_merged(admin: Api, machine: Machine):
    asked = await admin.post("/pull-requests", branch_of(machine, "agent/BE-login", title="Log in"))
    assert (asked.status_code, asked.json()["title"]) == (202, "[BE] Log in"), asked.text
    opened = await settled(admin, asked.json())
    assert (opened["state"], opened["number"], opened["changed"]) == ("open", 7, ["a.py"])

    later = await admin.post("/pull-requests", branch_of(machine, "agent/FE-on-top", after=[opened["id"]]))
    waiting = await settled(admin, later.json())
    assert [one["branch"] for one in waiting["waits_for"]] == ["agent/BE-login"]
    waiting = (await admin.post(f"/pull-requests/{waiting['id']}/merge", {})).json()
    assert waiting["state"] == "open"

    asked = await admin.post(f"/pull-requests/{opened['id']}/merge", {"method": "squash"})
    merged = await settled(admin, asked.json())
    assert (merged["state"], merged["worktree"], merged["merge_wanted_by"]) == ("merged", "removed", "token:test-admin")
    row = waiting
    while row["state"] != "merged":  # what waited for it follows by itself
        row = (await admin.get(f"/pull-requests/{row['id']}")).json()
    listed = (await admin.get("/pull-requests", state="merged")).json()["pull_requests"]
    assert [one["branch"] for one in listed] == ["agent/FE-on-top", "agent/BE-login"]


async def test_bad_wishes_about_pull_requests_are_refused_with_words(
    admin: Api, machine: Machine, server: str, office_id: str, new_token: TokenMaker
):
    assert_problem(await admin.post("/pull-requests", {}), 422, "invalid_payload", "needs a session_id")
    main = await admin.post("/pull-requests", branch_of(machine, "main"))
    assert_problem(main, 422, "invalid_payload", "not a branch of an agent")
    assert_problem(await admin.get(f"/pull-requests/{uuid4()}"), 404, "not_found", "no pull request")
    missing = await admin.post(f"/pull-requests/{uuid4()}/merge", {})
    assert_problem(missing, 404, "not_found", "no pull request")
    async with caller(server, office_id, await new_token(MemberRole.VIEWER)) as viewer:
        refused = await viewer.post("/pull-requests", branch_of(machine, "agent/BE-a"))
        assert_problem(refused, 403, "forbidden", "operator")


async def test_conflicts_to_come_are_shown_with_who_looks(admin: Api, machine: Machine, project: Project):
    pair = {"first_branch": "agent/BE-a", "second_branch": "agent/FE-b", "files": ["a.py"], "files_total": 1}
    branches = [{"branch": "agent/BE-a", "session_id": None, "uncommitted": True}]
    told = (json.dumps(branches), json.dumps([pair | {"uncommitted": True}]))
    await project.sql(
        "select report_conflicts(%s, %s, %s, %s::jsonb, %s::jsonb)", machine.client, machine.epoch, admin.office, *told
    )
    found = (await admin.get("/conflicts")).raise_for_status().json()
    [conflict] = found["conflicts"]
    assert (conflict["branches"], conflict["files"], conflict["uncommitted"], conflict["online"]) == (
        ["agent/BE-a", "agent/FE-b"], ["a.py"], True, True,
    )  # fmt: skip
    assert [machine["problem"] for machine in found["machines"]] == [None]


async def test_evidence_of_what_is_not_there_is_not_found(admin: Api):
    assert (await admin.get("/evidence")).json() == {"questions": []}
    assert_problem(await admin.get(f"/jobs/{uuid4()}/evidence"), 404, "not_found", "no job")
    answer = await admin.post(f"/evidence/{uuid4()}/answer", {"yes": True})
    assert_problem(answer, 404, "not_found", "no evidence")


async def test_on_the_command_line_a_conflict_is_named_and_said_to_have_changed_nothing(
    admin: Api, machine: Machine, server: str, office_id: str, new_token: TokenMaker, capsys: pytest.CaptureFixture[str]
):
    async with OfficeApi(server, await new_token(), office_id) as api:
        await gitwork.list_pull_requests(api, [], as_json=False)
        for name in ("agent/BE-fine", "agent/BE-conflict"):
            await gitwork.open_pull_request(api, branch_of(machine, name), as_json=False)
        await gitwork.merge_pull_request(api, "agent/BE-fine", "merge", keep=False, wait=True, as_json=False)
        with pytest.raises(SemoError, match=r"agent/BE-conflict conflicts with main in a\.py") as refused:
            await gitwork.merge_pull_request(api, "agent/BE-conflict", "merge", keep=False, wait=True, as_json=False)
        await gitwork.list_pull_requests(api, ["conflict"], as_json=False)
        await gitwork.show_conflicts(api, as_json=False)
        await gitwork.show_evidence(api, None, as_json=False)
        with pytest.raises(SemoError, match="there is no pull request with nothing"):
            await gitwork.merge_pull_request(api, "nothing", "merge", keep=False, wait=True, as_json=False)
        with pytest.raises(SemoError, match="nobody is asked anything that begins with"):
            await gitwork.answer_evidence(api, "nothing", None, yes=True)
    said = capsys.readouterr().out
    assert refused.value.kept == "nothing was changed"
    for words in (
        "none yet", "agent/BE-fine · [BE] fine · https://github.invalid/acme/web/pull/7",
        "agent/BE-fine is merged into main · worktree: removed", "conflicts in a.py",
        "no two of 0 live branches", "nobody is asked anything",
    ):  # fmt: skip
        assert words in said, said
