"""Costs and budgets by REST: summed up for whoever may look, capped by an admin, and said in words when reached."""

import json
from uuid import uuid4

import pytest

from shared.states import MemberRole
from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def spend(project: Project, office: str, usd: float, role: str = "BE") -> None:
    await project.sql(
        "insert into costs (turn_id, office_id, role, agent, cost_usd, input_tokens)"
        " values (%s, %s, %s, 'claude', %s, 10)",
        uuid4(), office, role, usd,
    )  # fmt: skip


async def test_what_was_spent_is_summed_up_the_dearest_first(admin: Api, project: Project, office_id: str):
    for usd, role in ((0.5, "BE"), (2, "FE"), (0.25, "BE")):
        await spend(project, office_id, usd, role)
    listed = (await admin.get("/costs", by="role")).json()
    assert [(one["key"], one["cost_usd"], one["tokens"], one["turns"]) for one in listed["costs"]] == [
        ("FE", 2.0, 10, 1),
        ("BE", 0.75, 20, 2),
    ]
    assert (await admin.get("/costs", until="2020-01-01T00:00:00Z")).json()["costs"] == []
    assert (await admin.get("/costs", by="colour")).status_code == 422


async def test_a_cap_is_set_seen_reached_and_taken_away(admin: Api, project: Project, office_id: str):
    set_ = await admin.put("/budgets/role/be/day", {"cap_usd": 1})
    assert set_.status_code == 200, set_.text
    assert (set_.json()["name"], set_.json()["reached"], set_.json()["set_by"]) == ("BE", False, "token:test-admin")
    await spend(project, office_id, 1.5)
    [listed] = (await admin.get("/budgets")).json()["budgets"]
    assert (listed["reached"], listed["spent_usd"]) == (True, 1.5)

    refused = await admin.post("/prompts", {"text": "go on", "role": "BE"})
    assert_problem(refused, 409, "cap_reached", "the cap of the role BE for today is reached: 1.50 of 1.00 USD")

    assert (await admin.delete("/budgets/role/BE/day")).status_code == 204
    assert (await admin.post("/prompts", {"text": "go on", "role": "BE"})).status_code == 202
    assert_problem(await admin.delete("/budgets/role/BE/day"), 404, "not_found", "no budget")


@pytest.mark.parametrize(
    ("path", "caps", "words"),
    [
        ("office/all/day", {"cap_usd": 0}, "above zero"),
        ("office/all/total", {}, "needs cap_usd or cap_tokens"),
        ("role/Juggler/day", {"cap_usd": 1}, "unknown role"),
    ],
)
async def test_a_cap_that_makes_no_sense_is_refused_in_words(admin: Api, path: str, caps: dict[str, int], words: str):
    assert_problem(await admin.put(f"/budgets/{path}", caps), 422, "invalid_payload", words)


async def test_only_an_admin_sets_caps(server: str, office_id: str, new_token: TokenMaker):
    async with caller(server, office_id, await new_token(MemberRole.OPERATOR)) as operator:
        assert_problem(await operator.put("/budgets/office/all/day", {"cap_usd": 1}), 403, "forbidden", "admin")
        assert json.loads((await operator.get("/budgets")).text) == {"budgets": []}
