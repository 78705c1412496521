"""Plans over REST: made whole or not at all, followed, steered; on a machine that answers as a client would."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from office_server.routes.plan_answers import JobSeen
from shared.states import JobStatus
from tests.integration.office_server.conftest import Api
from tests.integration.office_server.machine import Machine

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAVES = """\
name: checkout
defaults: {role: BE}
waves:
  - - {name: schema, prompt: add the table}
    - {name: fixtures, prompt: add some rows}
  - - {name: api, prompt: serve it}
"""


async def apply(api: Api, text: str, key: str | None = None) -> httpx.Response:
    headers = {"Content-Type": "application/yaml"} | ({"Idempotency-Key": key} if key else {})
    return await api.http.post(f"{api.base}/plans", content=text.encode(), headers=headers)


async def over(api: Api, plan_id: str) -> dict[str, Any]:
    """The plan once it is over. Nobody tells a caller, so it is asked again and again."""
    async with asyncio.timeout(30):
        while (state := (await api.get(f"/plans/{plan_id}")).json())["finished_at"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return state


async def jobs_of(api: Api, plan_id: str) -> dict[str, JobSeen]:
    found = [JobSeen.model_validate(one) for one in (await api.get(f"/plans/{plan_id}/jobs")).json()["jobs"]]
    return {job.name: job for job in found}


async def job_with(api: Api, plan_id: str, name: str, status: JobStatus) -> JobSeen:
    async with asyncio.timeout(30):
        while (job := (await jobs_of(api, plan_id))[name]).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return job


async def test_waves_from_yaml_run_one_after_another_to_their_end(admin: Api, machine: Machine) -> None:
    made = await apply(admin, WAVES)
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["progress"]["total"]) == ("waves", 3)
    state = await over(admin, made.json()["id"])
    assert (state["status"], state["progress"]["percent"]) == ("done", 100.0)
    jobs = await jobs_of(admin, state["id"])
    ends = [jobs[name].finished_at for name in ("schema", "fixtures")]
    started = jobs["api"].started_at
    assert started is not None
    assert all(end is not None and end <= started for end in ends)
    assert jobs["api"].branch is not None
    assert jobs["api"].branch.startswith("agent/BE-api-")


async def test_the_same_key_makes_one_plan_and_another_plan_may_not_have_it(admin: Api) -> None:
    key = f"key-{uuid4()}"
    first, second = await apply(admin, WAVES, key), await apply(admin, WAVES, key)
    assert first.json()["id"] == second.json()["id"]
    other = await apply(admin, WAVES.replace("serve it", "serve it well"), key)
    assert (other.status_code, other.json()["type"]) == (409, "urn:semo:problem:conflict")


BE = "name: a\ndefaults: {role: BE}\n"
WRONG = {
    "an empty wave": ("name: a\nwaves:\n  - []\n", "waves[0]", 3),
    "no jobs at all": ("name: a\njobs: []\n", "jobs", 2),
    "nothing to do": ("name: a\n", "the plan", 1),
    "an unknown role": ("name: a\njobs:\n  - prompt: x\n    role: Nobody\n", "jobs[0].role", 4),
    "no role": ("name: a\njobs:\n  - prompt: x\n", "jobs[0].role", 3),
    "a cap of zero": ("name: a\nmax_running: 0\nprompts: [x]\n", "max_running", 2),
    "a field that is not known": (BE + "jobs:\n  - {prompt: x, colour: red}\n", "jobs[0].colour", 4),
    "a name twice": (BE + "jobs:\n  - {name: b, prompt: x}\n  - {name: b, prompt: y}\n", "jobs[1].name", 5),
    "a key twice": ("name: a\nname: b\nprompts: [x]\n", "name", 2),
    "an unknown dependency": (BE + "jobs:\n  - {prompt: x, depends_on: [nobody]}\n", "jobs[0].depends_on[0]", 4),
    "no YAML": ("name: [a\n", "the plan", 2),
    "an unknown template": (BE + "prompts:\n  - {template: nothing}\n", "prompts[0].template", 4),
    "no prompt": (BE + "waves:\n  - - {name: b}\n", "waves[0][0]", 4),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_told_with_its_path_and_line_and_nothing_is_made(admin: Api, case: str) -> None:
    text, path, line = WRONG[case]
    refused = await apply(admin, text)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:semo:problem:bad_plan"), refused.text
    assert (path, line) in [(one["path"], one.get("line")) for one in refused.json()["problems"]], refused.text
    assert (await admin.get("/plans")).json()["plans"] == []


async def test_a_circle_is_named_and_nothing_is_made(admin: Api) -> None:
    jobs = [{"name": a, "prompt": "x", "depends_on": [b]} for a, b in (("a", "c"), ("b", "a"), ("c", "b"))]
    refused = await admin.post("/plans", {"name": "round", "defaults": {"role": "BE"}, "jobs": jobs})
    assert refused.status_code == 422
    assert "wait for each other in a circle: " in refused.json()["detail"]
    assert (await admin.get("/jobs")).json()["jobs"] == []


async def test_epics_stop_or_go_on_and_a_failed_task_can_be_tried_again(admin: Api, machine: Machine) -> None:
    epic = [{"name": "one", "prompt": "fail at it"}, {"name": "two", "prompt": "build on it"}]
    plan = {"name": "e", "defaults": {"role": "BE"}, "epics": [{"name": "api", "tasks": epic}]}
    made = (await admin.post("/plans", plan)).json()
    assert made["lanes"][0]["name"] == "api"
    assert (await over(admin, made["id"]))["status"] == "failed"
    jobs = await jobs_of(admin, made["id"])
    assert (jobs["one"].status, jobs["two"].status) == (JobStatus.FAILED, JobStatus.SKIPPED)
    again = await admin.post(f"/jobs/{jobs['one'].id}/retry")
    assert again.status_code == 200, again.text
    assert (await over(admin, made["id"]))["status"] == "failed"
    assert len((await admin.get(f"/jobs/{jobs['one'].id}")).json()["executions"]) == 2


async def test_a_plan_is_refused_where_no_machine_has_the_repository_and_says_which_lacks_what(
    admin: Api, machine: Machine, project: Any
) -> None:
    async def told(repository: str | None) -> None:
        await project.sql(
            "update client_offices set repository = %s, repository_told = true where client_id = %s",
            repository, machine.client,
        )  # fmt: skip

    await told('{"name": "web", "path": "~/src/web", "base": null, "missing": true}')
    refused = await apply(admin, WAVES)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:semo:problem:bad_plan")
    [wrong] = refused.json()["problems"]
    words = "no machine has the repository of this office: ~/src/web is not there on machine"
    assert (wrong["path"], wrong["message"]) == ("the plan", words)
    await told(None)
    assert "the policy of machine names none for it" in (await apply(admin, WAVES)).text
    assert (await admin.get("/plans")).json()["plans"] == []
    await told('{"name": "web", "path": "~/src/web", "base": null}')
    made = await apply(admin, WAVES)
    assert (await over(admin, made.json()["id"]))["status"] == "done"


async def test_a_plan_of_ten_thousand_jobs_is_made_whole_and_one_more_is_too_many(admin: Api, machine: Machine) -> None:
    machine.paused = True
    prompts = [f"job {number}" for number in range(10_000)]
    plan = {"name": "many", "defaults": {"role": "BE"}, "prompts": prompts}
    refused = await admin.post("/plans", plan | {"prompts": [*prompts, "one more"]})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:semo:problem:bad_plan")
    assert (await admin.get("/plans")).json()["plans"] == []
    made = await admin.post("/plans", plan)
    assert (made.status_code, made.json()["progress"]["total"]) == (201, 10_000), made.text
    assert (await admin.post(f"/plans/{made.json()['id']}/cancel")).status_code == 200
    machine.paused = False
    assert (await over(admin, made.json()["id"]))["progress"]["cancelled"] == 10_000


async def test_many_prompts_are_queued_run_and_found_again(admin: Api, machine: Machine) -> None:
    word = f"zebra{uuid4().hex[:6]}"
    queued = await admin.post("/executions", {"prompts": [f"look for the {word}", "else"], "defaults": {"role": "QA"}})
    assert queued.status_code == 201, queued.text
    await over(admin, queued.json()["plan_id"])
    found = (await admin.get("/jobs", search=word)).json()["jobs"]
    assert [job["prompt"] for job in found] == [f"look for the {word}"]
    executions = (await admin.get("/executions", plan_id=queued.json()["plan_id"])).json()["executions"]
    assert [one["status"] for one in executions] == ["completed", "completed"]
    assert (await admin.get("/executions", active=True)).json()["executions"] == []


async def test_an_execution_tells_its_own_story_and_can_be_killed(admin: Api, machine: Machine) -> None:
    queued = await admin.post("/executions", {"prompts": ["hang about"], "defaults": {"role": "QA"}})
    [job] = queued.json()["jobs"]
    execution = job["execution"]["id"]
    assert job["execution"]["status"] == "pending"
    told: list[str] = []

    async def listen() -> None:
        async with admin.http.stream("GET", f"{admin.base}/executions/{execution}/events") as stream:
            async for line in stream.aiter_lines():
                told.extend([line.removeprefix("event: ")] if line.startswith("event: ") else [])

    listening = asyncio.create_task(listen())
    assert (await admin.post(f"/executions/{execution}/kill")).status_code == 202
    # A machine that never answers keeps its command; its lease runs out as that of a dead one does.
    [(command,)] = [(((await admin.get(f"/executions/{execution}")).json())["command_id"],)]
    await machine.answer_at_last(command)
    async with asyncio.timeout(30):
        await listening
    assert told[0] == "started"
    assert told[-1] == "killed"
    assert (await over(admin, queued.json()["plan_id"]))["status"] in ("done", "cancelled")


async def test_templates_are_versioned_and_fill_in_what_jobs_say(admin: Api, machine: Machine) -> None:
    body = {"text": "review {{file}} {{how}}", "parameters": {"file": None, "how": "well"}, "defaults": {"role": "QA"}}
    for _ in range(2):
        assert (await admin.put("/templates/review", body)).json()["version"] == 1
    assert (await admin.put("/templates/review", body | {"text": "look at {{file}} {{how}}"})).json()["version"] == 2
    jobs = [{"template": "review", "parameters": {"file": "a.py"}},
            {"template": "review@1", "parameters": {"file": "b.py", "how": "badly"}}]  # fmt: skip
    queued = (await admin.post("/executions", {"prompts": jobs})).json()
    assert [(job["prompt"], job["role"]) for job in queued["jobs"]] == [
        ("look at a.py well", "QA"), ("review b.py badly", "QA"),
    ]  # fmt: skip
    missing = await admin.post("/executions", {"prompts": [{"template": "review"}]})
    assert '"file" is missing' in missing.json()["detail"]
    unused = await admin.put("/templates/other", {"text": "x", "parameters": {"y": None}})
    assert unused.status_code == 422


async def test_a_paused_plan_says_so_and_goes_on(admin: Api, machine: Machine) -> None:
    machine.paused = True
    await admin.patch("/job-limits", {"running": 1})
    made = (await apply(admin, WAVES)).json()
    await job_with(admin, made["id"], "schema", JobStatus.RUNNING)
    assert (await admin.post(f"/plans/{made['id']}/pause")).json()["status"] == "paused"
    machine.paused = False
    await job_with(admin, made["id"], "schema", JobStatus.DONE)
    waiting = (await jobs_of(admin, made["id"]))["fixtures"]
    assert (waiting.status, waiting.waiting_reason) == (JobStatus.READY, "the plan is paused")
    await admin.post(f"/plans/{made['id']}/resume")
    assert (await over(admin, made["id"]))["status"] == "done"


async def test_stop_ends_plans_commands_and_sessions(admin: Api, machine: Machine) -> None:
    made = (await admin.post("/plans", {"name": "s", "defaults": {"role": "BE"}, "jobs": [
        {"name": "a", "prompt": "x"}, {"name": "b", "prompt": "x", "depends_on": ["a"]}]})).json()  # fmt: skip
    stopped = await admin.post("/stop")
    assert stopped.status_code == 200
    assert stopped.json()["plans"] == 1
    assert (await over(admin, made["id"]))["status"] == "cancelled"


async def test_a_plan_of_another_office_is_not_there(admin: Api, project: Any) -> None:
    [(other,)] = await project.sql("insert into offices (name) values (%s) returning id", f"other/{uuid4()}")
    await project.sql("insert into job_limits (office_id) values (%s)", other)
    [(plan,)] = await project.sql(
        "select create_plan(%s, %s, 'x')",
        other, json.dumps({"name": "p", "kind": "prompts", "jobs": [{"name": "j", "role": "BE", "prompt": "x"}]}),
    )  # fmt: skip
    assert (await admin.get(f"/plans/{plan}")).status_code == 404
    await project.sql("select cancel_plan(%s)", plan)
