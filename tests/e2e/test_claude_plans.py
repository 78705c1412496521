"""Plans and a spec task with the real Claude Code: waves, an epic, evidence, a cap, a conflict, the stop for all."""

import asyncio

import pytest

from tests.support.claude_office import DONE, ClaudeOffice
from tests.support.git import git as git_says
from tests.support.merging import forecast, merged
from tests.support.messages_api import Say, Use, say

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_claude_plans_a_spec_task_and_does_its_work_and_reports_progress_by_mcp(world: ClaudeOffice):
    """Planning, approval, one item, done; a tool of the office is called by the real CLI through its MCP server."""
    folder = ".semo/specs/small"
    plan = (
        f"mkdir -p {folder} && cd {folder} && echo 'THE SYSTEM SHALL greet' > requirements.md && echo d > design.md"
        " && echo '- [ ] 1 GREETITEM them (role: BE)' > tasks.md && echo '{}' > spec-metadata.json"
        " && git add . && git commit -qm Plan"
    )
    work = "echo hello > hello.txt && git add hello.txt && git commit -qm Greet"
    report = Use("mcp__semo__report_progress", {"text": "nearly there", "percent": 90})
    world.api.script("PLANSMALL", Use("Bash", {"command": plan, "description": "Plan"}), say(f"Planned. {DONE}"))
    world.api.script(
        "GREETITEM", report, Use("Bash", {"command": work, "description": "Greet"}), say(f"Greeted. {DONE}")
    )
    async with world.office.api() as api:
        wishes = {"title": "PLANSMALL thing", "name": "small", "agent": "claude", "start": True}
        made = await api.post("spec-tasks", json=wishes)
        assert made.status_code == 201, made.text
        await world.spec_in(api, "review")
        approved = await api.post("spec-tasks/small/versions/1/approve")
        assert approved.status_code == 200, approved.text
        task = await world.spec_in(api, "done")
    [session] = [one for one in task["sessions"] if one["label"] == "1"]
    assert (session["progress"], session["status"]) == ("nearly there", "done")
    [event] = await world.office.rows("coordination_events", spec_task_id=task["id"], kind="progress")
    assert event["author"] == f"session:{session['session_id']}"


@pytest.mark.timeout(240)
async def test_a_plan_of_waves_and_an_epic_run_with_it(world: ClaudeOffice):
    """One of each kind: a wave after another, an epic in one conversation, and a prompt from the queue."""
    for word in ("WAVEONE", "WAVETWO", "EPICSTEP", "FROMQUEUE"):
        world.api.script(word, say(f"Done with it. {DONE}"))
    defaults = {"role": "BE", "agent": "claude"}
    plans = [
        {"waves": [[{"prompt": "WAVEONE of all"}], [{"prompt": "WAVETWO of all"}]]},
        {"epics": [{"name": "epic", "tasks": [{"prompt": "EPICSTEP one"}, {"prompt": "EPICSTEP two"}]}]},
        {"prompts": ["FROMQUEUE prompt"]},
    ]
    async with world.office.api() as api:
        made = [
            (await api.post("plans", json={"name": "claude", "defaults": defaults, **plan})).raise_for_status().json()
            for plan in plans
        ]
        for plan in made:
            state = await world.over(api, plan)
            assert state["status"] == "done", (state, world.office.logs())
        tasks = (await api.get(f"plans/{made[1]['id']}/jobs")).json()["jobs"]
    assert len({task["execution"]["session_id"] for task in tasks}) == 1
    assert all(task["execution"]["result"]["marker"] for task in tasks)


async def test_a_job_whose_evidence_fails_goes_back_to_it_until_it_holds(world: ClaudeOffice):
    """It says that it is done and did nothing; what does not hold is its next prompt, and then it does it."""
    mend = "echo there > evidence.txt && git add evidence.txt && git commit -qm Evidence"
    world.api.script(
        "EVIDENCE", say(f"Done, believe me. {DONE}"), say(f"Really. {DONE}"),
        Use("Bash", {"command": mend, "description": "Commit"}), say(f"Now it is. {DONE}"),
    )  # fmt: skip
    job = {"name": "held", "prompt": "EVIDENCE please", "max_rounds": 3,
           "conditions": [{"must_change": "evidence.txt"}, {"commit": True}]}  # fmt: skip
    async with world.office.api() as api:
        wish = {"name": "evidence", "defaults": {"role": "BE", "agent": "claude"}, "jobs": [job]}
        plan = (await api.post("plans", json=wish)).raise_for_status().json()
        done = (await world.jobs(api, plan, held="done"))["held"]
        rounds = (await api.get(f"jobs/{done['id']}/evidence")).raise_for_status().json()["evidence"]
    told = [(one["round"], one["kind"], one["status"]) for one in rounds]
    assert told == [
        (number, kind, status)
        for number, status in enumerate(("fails", "fails", "holds"))
        for kind in ("must_change", "commit")
    ]
    assert done["execution"]["result"]["marker"] is True
    said = str(world.api.asked("EVIDENCE")[-1]["messages"])
    assert 'No file that matches "evidence.txt" was changed.' in said
    assert "Nothing was committed." in said


async def test_a_cap_stops_a_plan_before_its_next_turns_and_taking_it_away_lets_it_go_on(world: ClaudeOffice):
    """What the plan's Claude has spent stops its next turn, and that of the shell, which itself costs nothing."""
    hold = asyncio.Event()
    world.api.script("DEARONE", Say(["Working.\n", DONE], hold=hold))
    world.api.script("DEARTWO", say(f"Done, too. {DONE}"))
    dear = [{"name": "one", "prompt": "DEARONE prompt"}, {"name": "two", "prompt": "DEARTWO prompt"}]
    cheap = [{"name": "three", "prompt": f"echo '{DONE}'", "depends_on": ["one"]}]
    epics = [
        {"name": "dear", "role": "BE", "agent": "claude", "tasks": dear},
        {"name": "cheap", "role": "QA", "agent": "shell", "tasks": cheap},
    ]
    async with world.office.api() as api:
        plan = (await api.post("plans", json={"name": "dear", "epics": epics})).raise_for_status().json()
        await world.api.until_asked("DEARONE")
        capped = await world.semo("budget", "set", "plan", "dear", "--usd", "0.000001", "--per", "total")
        assert capped.exit_code == 0, capped.err
        assert "the cap of the plan dear is not reached" in capped.out
        hold.set()
        held = await world.jobs(api, plan, one="done", two="blocked", three="blocked")
        for name in ("two", "three"):
            assert held[name]["failure_kind"] == "cap"
            assert "the cap of the plan dear is reached: " in held[name]["error"]
        assert world.api.asked("DEARTWO") == []
        assert (await api.get(f"plans/{plan['id']}")).json()["finished_at"] is None
        raised = await world.semo("budget", "remove", "plan", "dear", "--per", "total")
        assert raised.exit_code == 0, raised.err
        done = await world.jobs(api, plan, two="done", three="done")
    assert done["one"]["execution"]["session_id"] == done["two"]["execution"]["session_id"]


@pytest.mark.timeout(240)
async def test_a_conflict_is_foreseen_then_everything_is_stopped_and_what_was_committed_really_conflicts(
    world: ClaudeOffice,
):
    """Two agents amid their turns: named as a pair that would conflict, ended by the stop, their work kept."""
    for word in ("CLASHA", "CLASHB"):
        write = f"echo {word} > shared.txt && git add shared.txt && git commit -qm {word}"
        world.api.script(
            word, Use("Bash", {"command": write, "description": "Commit"}), Say(["More to do.\n"], hold=asyncio.Event())
        )
    jobs = [{"name": word, "prompt": f"{word} please"} for word in ("CLASHA", "CLASHB")]
    await world.everything_is_stopped()  # two need places at once
    async with world.office.api() as api:
        wish = {"name": "clash", "defaults": {"role": "BE", "agent": "claude"}, "jobs": jobs}
        plan = (await api.post("plans", json=wish)).raise_for_status().json()
        running = await world.jobs(api, plan, CLASHA="running", CLASHB="running")
        watching = asyncio.create_task(world.jobs(api, plan, CLASHA="cancelled", CLASHB="cancelled"))
        branches = [running[word]["branch"] for word in ("CLASHA", "CLASHB")]
        foreseen = await forecast(api, branches)
        assert foreseen["files"] == ["shared.txt"]
        for word in ("CLASHA", "CLASHB"):
            await world.api.until_asked(word, times=2)  # its commit is made, and its turn goes on

        await world.everything_is_stopped()
        ended = await watching
        assert {one["execution"]["status"] for one in ended.values()} == {"killed"}

        first, second = [await merged(api, foreseen["client_id"], branch) for branch in branches]
    assert first["state"] == "merged", first
    assert (second["state"], second["files"]) == ("conflict", ["shared.txt"])
    assert git_says(world.office.data.parent / "repo-origin.git", "show", "main:shared.txt") == "CLASHA\n"
