"""Plans on real sessions: waves and epics in their order, side by side where they may be, evidence, conflicts that were
foreseen, and the stop for all. A cap is in test_claude_plans.py, for the shell costs nothing."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import git
import pytest
import pytest_asyncio
import yaml

from semo.folder import DataFolder
from tests.support.git import git as git_says
from tests.support.merging import PUSHED_AND_MERGED, forecast, merged, with_origin
from tests.support.office_events import OfficeEvents
from tests.support.running_office import RunningOffice, semo

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

DONE = "echo '[SEMO:DONE]'"
Row = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def roomy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningOffice]:
    """An office in which ten jobs may run at once."""
    place = tmp_path_factory.mktemp("plans")
    repository = place / "repo"
    git.Repo.init(repository, initial_branch="main").git.execute(
        ["git", "-c", "user.name=t", "-c", "user.email=t@semo.invalid", "commit", "--allow-empty", "-qm", "Begin"]
    )
    with git.Repo(repository).config_writer() as config:
        config.set_value("user", "name", "Test").set_value("user", "email", "test@semo.invalid")
    with_origin(repository)
    folder = DataFolder(place / "data")
    folder.prepare()
    folder.policy.write_text(
        f'allowed_roots = ["{place}"]\ndefault_agent = "shell"\n[[repositories]]\npath = "{repository}"\n'
        f"[agents.shell]\nenabled = true\n[limits]\nmax_sessions = 14\n{PUSHED_AND_MERGED}"
    )
    soon = {"SEMO_CLIENT_FORECAST_SECONDS": "0.3"}
    office = await RunningOffice.open(place / "data", "--repo", str(repository), env=soon)
    async with office.api() as api:
        limits: Row = {"session_limit": 20, "warm_roles": []}
        (await api.patch(str(api.base_url).rstrip("/"), json=limits)).raise_for_status()
        (await api.patch("job-limits", json={"running": 10})).raise_for_status()
    yield office
    await office.close()


async def applied(office: RunningOffice, tmp_path: Path, plan: Row) -> Row:
    """Applied by the command line and followed to its end."""
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump(plan))
    said = await semo("plan", "apply", str(file), "--data", str(office.data), "--follow", "--json")
    assert said.out, said.err + office.logs()
    return said.last_line


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def events(roomy: RunningOffice) -> AsyncIterator[OfficeEvents]:
    async with OfficeEvents.of(roomy) as hearing:
        yield hearing


async def jobs_of(office: RunningOffice, plan: Row) -> dict[str, Row]:
    async with office.api() as api:
        jobs = (await api.get(f"plans/{plan['id']}/jobs")).raise_for_status().json()["jobs"]
    return {job["name"]: job for job in jobs}


def turn(job: Row) -> tuple[datetime, datetime]:
    """From when a machine took its prompt to when it was over."""
    return datetime.fromisoformat(job["execution"]["running_at"]), datetime.fromisoformat(job["finished_at"])


async def test_a_plan_of_three_waves_and_twelve_jobs(roomy: RunningOffice, tmp_path: Path) -> None:
    waves = [[{"name": f"job-{wave}-{place}", "prompt": f"pwd; {DONE}"} for place in range(4)] for wave in range(3)]
    plan = await applied(roomy, tmp_path, {"name": "three waves", "defaults": {"role": "BE"}, "waves": waves})
    assert (plan["status"], plan["progress"]["done"]) == ("done", 12), roomy.logs()
    jobs = await jobs_of(roomy, plan)
    for wave in (1, 2):
        began = min(turn(jobs[f"job-{wave}-{place}"])[0] for place in range(4))
        assert all(turn(jobs[f"job-{wave - 1}-{place}"])[1] <= began for place in range(4))
    sessions = await roomy.rows("agent_sessions")
    assert len({row["worktree_path"] for row in sessions if "job-" in str(row["task"])}) == 12


async def test_three_epics_of_three_tasks_run_side_by_side_each_in_order_in_one_worktree(
    roomy: RunningOffice, tmp_path: Path
) -> None:
    meet = tmp_path / "here"
    meet.mkdir()
    # The first task of each epic waits until those of the others have begun, too: they overlap, or never end.
    first = f"touch {meet}/$RANDOM$RANDOM; until [ $(ls {meet} | wc -l) -ge 3 ]; do sleep 0.05; done; {DONE}"
    epics = [
        {
            "name": name,
            "role": role,
            "tasks": [
                {"name": f"{name} last", "prompt": f"echo three >> steps; cat steps; {DONE}"},
                {"name": f"{name} first", "prompt": f"echo one > steps; {first}", "priority": 9},
                {"name": f"{name} middle", "prompt": f"echo two >> steps; {DONE}", "priority": 5},
            ],
        }
        for name, role in (("api", "BE"), ("ui", "FE"), ("tests", "QA"))
    ]
    plan = await applied(roomy, tmp_path, {"name": "three epics", "epics": epics})
    assert (plan["status"], plan["progress"]["done"]) == ("done", 9), roomy.logs()
    jobs = await jobs_of(roomy, plan)
    for name in ("api", "ui", "tests"):
        steps = [turn(jobs[f"{name} {step}"]) for step in ("first", "middle", "last")]
        assert steps[0][1] <= steps[1][0] <= steps[1][1] <= steps[2][0]
        assert len({jobs[f"{name} {step}"]["execution"]["session_id"] for step in ("first", "middle", "last")}) == 1
        last = jobs[f"{name} last"]["execution"]
        shown = await roomy.output(last["session_id"], last["result"])
        assert "one\r\ntwo\r\nthree" in shown
    firsts = [turn(jobs[f"{name} first"]) for name in ("api", "ui", "tests")]
    assert max(began for began, _ in firsts) < min(ended for _, ended in firsts)


async def job_in(office: RunningOffice, events: OfficeEvents, plan: Row, name: str, status: str) -> Row:
    async def found() -> Row | None:
        job = (await jobs_of(office, plan))[name]
        return job if job["status"] == status else None

    return await events.when(found)


async def test_a_job_whose_evidence_fails_twice_and_then_holds(roomy: RunningOffice, tmp_path: Path) -> None:
    """Its script runs again with what does not hold, and commits the third time."""
    script = "echo again >> rounds; [ $(wc -l < rounds) -lt 3 ] || { git add rounds && git commit -qm Rounds; }"
    conditions: list[Row] = [{"commit": True}, {"must_change": "rounds"}]
    job = {"name": "held", "prompt": f"{script}; {DONE}", "max_rounds": 3, "conditions": conditions}
    plan = await applied(roomy, tmp_path, {"name": "evidence", "defaults": {"role": "BE"}, "jobs": [job]})
    assert (plan["status"], plan["progress"]["done"]) == ("done", 1), roomy.logs()
    held = (await jobs_of(roomy, plan))["held"]
    async with roomy.api() as api:
        found = (await api.get(f"jobs/{held['id']}/evidence")).raise_for_status().json()["evidence"]
    told = [(one["round"], one["status"]) for one in found if one["kind"] == "commit"]
    assert told == [(0, "fails"), (1, "fails"), (2, "holds")]
    last = held["execution"]
    shown = await roomy.output(last["session_id"], last["result"])
    assert "Nothing was committed." in shown, "it was told what does not hold"


async def test_a_conflict_is_foreseen_while_the_agents_work_and_then_really_happens(
    roomy: RunningOffice, events: OfficeEvents, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    until_told = f"until [ -e {go} ]; do sleep 0.05; done; {DONE}"
    jobs = [
        {"name": name, "prompt": f"echo {name} > shared.txt && git add . && git commit -qm {name}; {until_told}"}
        for name in ("ours", "theirs")
    ]
    async with roomy.api() as api:
        wish = {"name": "clash", "defaults": {"role": "BE"}, "jobs": jobs}
        plan = (await api.post("plans", json=wish)).raise_for_status().json()
        ours, theirs = [await job_in(roomy, events, plan, name, "running") for name in ("ours", "theirs")]
        foreseen = await forecast(api, [ours["branch"], theirs["branch"]])
        assert (foreseen["files"], foreseen["uncommitted"]) == (["shared.txt"], False)
        assert {job["status"] for job in (await jobs_of(roomy, plan)).values()} == {"running"}
        told = await roomy.rows("session_events", kind="conflict.forecast")
        assert ["shared.txt"] in [one["detail"]["files"] for one in told]
        go.touch()
        for name in ("ours", "theirs"):
            await job_in(roomy, events, plan, name, "done")
        first = await merged(api, foreseen["client_id"], ours["branch"])
        second = await merged(api, foreseen["client_id"], theirs["branch"])
    assert first["state"] == "merged", first
    assert (second["state"], second["files"]) == ("conflict", ["shared.txt"])
    origin = roomy.data.parent / "repo-origin.git"
    assert git_says(origin, "show", "main:shared.txt") == "ours\n", "nothing was changed by the one that conflicts"


async def test_stop_everything_with_ten_running(roomy: RunningOffice, events: OfficeEvents) -> None:
    async with roomy.api() as api:
        prompts = [{"prompt": "sleep 600", "name": f"long {place}", "worktree": "own"} for place in range(12)]
        plan = (await api.post("plans", json={"name": "long", "defaults": {"role": "BE"}, "prompts": prompts})).json()

        async def ten_run() -> bool:
            running = (await api.get("executions", params={"status": "running"})).json()["executions"]
            return len(running) == 10

        await events.when(ten_run, seconds=120)
        alive = {row["id"] for row in await roomy.rows("agent_sessions") if row["ended_at"] is None}
        assert len(alive) >= 10
        said = await semo("stop", "--yes", "--data", str(roomy.data))
        assert said.exit_code == 0, said.err

        async def all_is_over() -> bool:
            ended = {row["id"] for row in await roomy.rows("agent_sessions") if row["ended_at"] is not None}
            return alive <= ended and (await api.get(f"plans/{plan['id']}")).json()["finished_at"] is not None

        await events.when(all_is_over)
        state = (await api.get(f"plans/{plan['id']}")).json()
        assert (state["status"], state["progress"]["cancelled"]) == ("cancelled", 12), roomy.logs()
        executions = (await api.get("executions", params={"plan_id": plan["id"]})).json()["executions"]
        assert {one["status"] for one in executions} == {"killed"}
        assert {one["outcome"] for one in executions} <= {"interrupted", "error", "lost", None}
