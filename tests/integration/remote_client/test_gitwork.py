"""Work in git on a real machine: checked by names, published, forecast, merged; and a job done on evidence alone."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.integration.remote_client.office import Answer, Machine, Office, git, written
from tests.integration.remote_client.shells import DONE
from tests.support.fake_gh import FakeGh

Make = Callable[..., Awaitable[Machine]]
DONE_SECONDS = 90.0


@pytest.fixture
def origin(repository: Path, tmp_path: Path) -> Path:
    git("clone", "--quiet", "--bare", str(repository), str(tmp_path / "origin.git"))
    git("-C", str(repository), "remote", "add", "origin", str(tmp_path / "origin.git"))
    return tmp_path / "origin.git"


@pytest.fixture
def gh(origin: Path, tmp_path: Path) -> FakeGh:
    return FakeGh(tmp_path / "hub", origin)


async def started(machine: Make, *rules: str, **changes: Any) -> Machine:
    """A machine whose policy says more."""
    one = await machine()
    with (one.folder / "policy.toml").open("a") as policy:
        policy.write("\n" + "\n".join(rules) + "\n")
    return await one.start(**{"forecast_seconds": 0.1} | changes)


def pull_requests(gh: FakeGh | None = None) -> str:
    program = f"gh = {json.dumps(str(gh.program))}\n" if gh is not None else ""
    return f"[pull_requests]\npush = true\nmerge = true\n{program}"


async def prompt(office: Office, session: UUID, script: str) -> Answer:
    answer = await office.do("send_prompt", {"text": f"{script}\n{DONE}"}, session_id=session)
    assert answer.status == "completed", answer
    return answer


async def commits(office: Office, session: UUID, name: str, text: str) -> None:
    await prompt(office, session, f"echo '{text}' > {name} && git add {name} && git commit -qm '{text}'")


async def test_a_session_is_checked_by_names_that_its_machine_knows(office: Office, machine: Make, tmp_path: Path):
    await started(machine, '[checks.test]\nrun = ["sh", "-c", "test -f made.txt || { echo nothing made; exit 4; }"]')
    session = await office.session(task="checked")

    before = await office.do("check_work", {"checks": ["test"], "commit": True}, session_id=session)
    await commits(office, session, "made.txt", "made")
    after = await office.do("check_work", {"checks": ["test"], "commit": True}, session_id=session)
    unknown = await office.do("check_work", {"checks": ["deploy"]}, session_id=session)

    assert before.result["holds"] is False
    check = next(one for one in before.result["conditions"] if one["kind"] == "check")
    assert (check["status"], check["tail"], check["known_by"]) == (4, "nothing made", "exit")
    assert (after.result["holds"], after.result["changed"], after.result["takes_scripts"]) == (True, ["made.txt"], True)
    assert (unknown.error_code, "no check" in unknown.error) == ("policy_forbids", True)


async def test_people_see_the_diff_and_the_pictures_of_a_sessions_work_as_far_as_its_machine_lets_them(
    office: Office, machine: Make
):
    one = await started(machine)
    session = await office.session(task="seen")
    await commits(office, session, "made.txt", "made")
    script = [
        "echo more >> made.txt", "echo fresh > new.txt", "echo '*.png' > .gitignore", "mkdir shots",
        r"printf '\211PNG\r\n\032\nrest' > shots/page.png", "echo text > shots/fake.jpg", "ln -s /etc/hostname out.png",
        "head -c 600000 /dev/zero > shots/large.gif",
    ]  # fmt: skip
    await prompt(office, session, "; ".join(script))

    seen = (await office.do("read_work", session_id=session)).result
    changed = {file["path"]: (file["added"], file["removed"]) for file in seen["files"]}
    assert (changed["made.txt"], changed["new.txt"], seen["commits"]) == ((2, 0), (1, 0), 1)
    assert {"+made", "+more", "+fresh"} <= set(seen["diff"].splitlines())
    assert {picture["path"] for picture in seen["pictures"]} == {"shots/page.png", "shots/fake.jpg", "shots/large.gif"}

    picture = (await office.do("read_work", {"picture": "shots/page.png"}, session_id=session)).result
    assert (picture["media_type"], base64.b64decode(picture["data"])) == ("image/png", b"\x89PNG\r\n\x1a\nrest")
    refused = {
        name: (await office.do("read_work", {"picture": name}, session_id=session)).error_code
        for name in ("shots/fake.jpg", "shots/large.gif", "out.png", "../seen/shots/page.png", "made.txt")
    }
    assert refused == {
        "shots/fake.jpg": "invalid_payload", "shots/large.gif": "invalid_payload", "out.png": "not_found",
        "../seen/shots/page.png": "not_found", "made.txt": "not_found",
    }  # fmt: skip

    policy = one.folder / "policy.toml"
    await one.stop()
    policy.write_text(policy.read_text() + "\n[work]\nshow = false\n")
    await one.start()
    session = await office.session(task="kept")
    assert (await office.do("read_work", session_id=session)).error_code == "policy_forbids"


async def test_a_check_ends_when_its_session_is_cancelled(office: Office, machine: Make, tmp_path: Path):
    await started(machine, f'[checks.slow]\nrun = ["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 600"]')
    session = await office.session(task="slow")
    command = await office.ask("check_work", {"checks": ["slow"]}, session_id=session)
    pid = int(await written(tmp_path / "pid"))

    assert (await office.do("cancel", session_id=session)).status == "completed"

    answer = await office.until(command)
    assert (answer.status, answer.error_code) == ("failed", "conflict")
    assert not Path(f"/proc/{pid}").exists()
    assert (await office.do("check_work", {"commit": True}, session_id=session)).status == "completed"


async def test_a_check_of_a_client_that_was_killed_ends_and_runs_again(office: Office, machine: Make, tmp_path: Path):
    one = await machine()
    script = f"echo $$ >> {tmp_path}/pids; test -f {tmp_path}/enough || exec sleep 600"
    with (one.folder / "policy.toml").open("a") as policy:
        policy.write(f"[checks.slow]\nrun = {json.dumps(['sh', '-c', script])}\n")
    await one.start_process(sessions_at_stop="keep")
    session = await office.session(task="slow")
    command = await office.ask("check_work", {"checks": ["slow"]}, session_id=session)
    pid = int(await written(tmp_path / "pids"))

    await one.kill()
    (tmp_path / "enough").touch()
    await one.start_process(sessions_at_stop="keep")

    answer = await office.until(command)
    assert (answer.status, answer.result["holds"]) == ("completed", True)
    assert not Path(f"/proc/{pid}").exists()
    assert len((tmp_path / "pids").read_text().split()) == 2
    await one.stop()
    await one.end_terminals()


async def test_a_branch_is_published_merged_and_its_worktree_cleaned(
    office: Office, machine: Make, gh: FakeGh, origin: Path
):
    one = await started(machine, pull_requests(gh))
    session = await office.session(task="login")
    await commits(office, session, "login.txt", "login")
    wish = {"branch": "agent/BE-login", "title": "[BE] login"}

    published = await office.do("publish_branch", wish, client_id=one.client_id)
    assert (published.result["state"], published.result["number"]) == ("open", 1), published
    merged = await office.do("merge_branch", {"branch": "agent/BE-login"}, client_id=one.client_id)
    assert (merged.result["state"], merged.result["worktree"]) == ("merged", "kept"), merged
    assert "a session works" in merged.result["kept_because"]
    await office.do("terminate", session_id=session)
    again = await office.do("merge_branch", {"branch": "agent/BE-login"}, client_id=one.client_id)

    assert (again.result["state"], again.result["worktree"]) == ("merged", "removed"), again
    assert git("-C", str(origin), "show", "main:login.txt") == "login"
    repository = origin.parent / "repo"
    assert git("-C", str(repository), "branch", "--list", "agent/*") == ""
    assert git("-C", str(repository), "for-each-ref", "refs/semo") == ""
    assert not (origin.parent / "repo-worktrees" / "BE" / "login").exists()


async def test_what_the_policy_does_not_allow_is_not_pushed(office: Office, machine: Make, origin: Path):
    one = await started(machine)
    session = await office.session(task="login")
    await commits(office, session, "login.txt", "login")
    answer = await office.do("publish_branch", {"branch": "agent/BE-login"}, client_id=one.client_id)
    assert (answer.error_code, "push = true" in answer.error) == ("policy_forbids", True)
    assert git("-C", str(origin), "branch", "--list", "agent/*") == ""


async def test_a_conflict_is_forecast_while_agents_work_and_then_really_happens(
    office: Office, machine: Make, origin: Path
):
    one = await started(machine, pull_requests())
    first, second = await office.session(task="first"), await office.session("FE", task="second")
    await commits(office, first, "shared.txt", "one way")
    await prompt(office, second, "echo 'another way' > shared.txt")  # not even committed

    [seen] = await office.until_true(
        "select * from branch_conflicts where office_id = %s and cleared_at is null", office.office_id
    )
    assert (seen["first_branch"], seen["second_branch"]) == ("agent/BE-first", "agent/FE-second")
    assert (seen["files"], seen["uncommitted"], seen["first_session"]) == (["shared.txt"], True, first)
    await office.until_true(
        "select * from session_events where office_id = %s and kind = 'conflict.forecast'", office.office_id
    )

    await prompt(office, second, "git add shared.txt && git commit -qm 'another way'")
    for branch in ("agent/BE-first", "agent/FE-second"):
        published = await office.do("publish_branch", {"branch": branch}, client_id=one.client_id)
        assert published.status == "completed", published
    merged = await office.do("merge_branch", {"branch": "agent/BE-first"}, client_id=one.client_id)
    assert merged.result["state"] == "merged", merged
    tip = git("-C", str(origin), "rev-parse", "main")

    conflict = await office.do("merge_branch", {"branch": "agent/FE-second"}, client_id=one.client_id)

    assert (conflict.status, conflict.error_code) == ("failed", "conflict")
    assert conflict.result["files"] == ["shared.txt"] == seen["files"]
    assert git("-C", str(origin), "rev-parse", "main") == tip

    await prompt(office, second, "git reset -q --hard main && echo more > other.txt")
    await office.until_true(
        "select 1 from branch_conflicts where office_id = %s and cleared_at is not null", office.office_id
    )


async def scheduled(office: Office, plan: UUID) -> str:
    """What a plan ends as, with its scheduler run as servers run it."""
    deadline = time.monotonic() + DONE_SECONDS
    while not await office.sql("select 1 from plans where id = %s and finished_at is not null", plan):
        assert time.monotonic() < deadline, await office.sql("select * from jobs where plan_id = %s", plan)
        await office.sql("select run_schedule(%s)", office.office_id)
        await asyncio.sleep(0.05)
    return (await office.sql("select status::text from plans where id = %s", plan))[0]["status"]


async def make_plan(office: Office, **job: Any) -> UUID:
    wanted = {
        "name": "on evidence", "kind": "graph",
        "lanes": [{"name": "l", "role": "BE", "task": "evidence"}], "jobs": [{"name": "a", "lane": "l", **job}],
    }  # fmt: skip
    made = await office.sql("select create_plan(%s, %s::jsonb, 'test') as id", office.office_id, json.dumps(wanted))
    return made[0]["id"]


async def test_a_job_whose_evidence_fails_twice_and_then_holds(office: Office, machine: Make, gh: FakeGh):
    """Each round of the script writes one more line; the check wants three of them."""
    check = ["sh", "-c", "test $(wc -l < src/lines.txt) -ge 3 || { wc -l src/lines.txt; exit 1; }"]
    await started(machine, f"[checks.enough]\nrun = {json.dumps(check)}", pull_requests(gh))
    script = "mkdir -p src && echo line >> src/lines.txt && git add src && git commit -qm line"
    conditions = [
        {"check": "enough"}, {"must_change": "src/**"}, {"must_not_change": "README.md"}, {"commit": True},
        {"pull_request": True},
    ]  # fmt: skip

    plan = await make_plan(office, prompt=f"{script}\n{DONE}", conditions=conditions, max_rounds=3)

    assert await scheduled(office, plan) == "done"
    rows = await office.sql(
        "select e.* from job_evidence e join jobs j on j.id = e.job_id where j.plan_id = %s order by round, place", plan
    )
    assert [(row["round"], row["status"], row["detail"].get("tail")) for row in rows if row["kind"] == "check"] == [
        (0, "fails", "1 src/lines.txt"), (1, "fails", "2 src/lines.txt"), (2, "holds", ""),
    ]  # fmt: skip
    assert {row["kind"] for row in rows if row["round"] == 2 and row["status"] == "holds"} == {
        "check", "must_change", "must_not_change", "commit", "pull_request",
    }  # fmt: skip
    [opened] = gh.pull_requests
    assert opened["title"] == "[BE] a"
    assert "- `src/lines.txt`" in opened["body"]
    prompts = await office.sql(
        "select payload ->> 'text' as text from agent_commands where office_id = %s and command_type = 'send_prompt'"
        " order by seq", office.office_id,
    )  # fmt: skip
    assert len(prompts) == 3
    assert '# 1. The check "enough" failed with status 1.' in prompts[1]["text"]
    assert "\n# 1 src/lines.txt\n" in prompts[1]["text"]
