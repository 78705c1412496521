"""What work holds: checks that really run and really end, files by git's word, names that only the machine gives."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from remote_client.gitwork import conditions
from remote_client.gitwork.checks import Check, checks_named
from remote_client.gitwork.running import TAIL_BYTES, run
from remote_client.policy import CheckRule, Policy
from remote_client.worktrees_git import Git
from shared.errors import InvalidPayload, PolicyForbids
from shared.payloads import CheckWork
from tests.support.git import commit, git
from tests.support.processes import child_running
from tests.unit.remote_client.gitwork.conftest import Place

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def policy(**checks: list[str]) -> Policy:
    rules = {name: CheckRule(run=command) for name, command in checks.items()}
    return Policy(allowed_roots=[Path("/")], checks=rules)


async def written(path: Path) -> str:
    """What somebody else writes into a file, as soon as there is any."""
    async with asyncio.timeout(60):
        while not (path.exists() and path.read_text().strip()):  # noqa: ASYNC110  a process of its own writes it
            await asyncio.sleep(0.01)
    return path.read_text().strip()


async def test_a_check_is_known_by_its_exit_and_the_end_of_its_output(place: Place) -> None:
    here, check = Git(place.repository), Check("test", ("sh", "-c", "echo out; echo 'pass: s3cr3t' >&2; exit 3"), 60)

    found = await conditions.of_check(check, here, ENVIRONMENT, 60, lambda text: text.replace("s3cr3t", "[redacted]"))

    assert found.pop("seconds") > 0
    assert found == {
        "kind": "check", "name": "test", "holds": False, "known_by": "exit", "status": 3,
        "output_bytes": 17, "tail": "out\npass: [redacted]",
    }  # fmt: skip


async def test_of_much_output_the_end_is_kept_without_what_only_terminals_read(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('x' * 99 + '\\n'); print('y\\n' * 500_000 + '\\x1b[31mred\\x1b[0m end')"
    ran = await run([sys.executable, "-c", script], tmp_path, ENVIRONMENT, 60)
    assert (ran.status, ran.output_bytes > 1_000_000, len(ran.tail) <= TAIL_BYTES) == (0, True, True)
    assert ran.tail.endswith("y\nred end")


async def test_a_check_gets_its_environment_and_no_more(tmp_path: Path) -> None:
    ran = await run(["env"], tmp_path, {**ENVIRONMENT, "LANG": "C"}, 60)
    assert {line.split("=")[0] for line in ran.tail.splitlines()} <= {"PATH", "LANG", "PWD", "LC_CTYPE"}


async def test_what_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sh -c 'echo $$ > {tmp_path}/inner; exec sleep 600' & wait"
    task = asyncio.create_task(run(["sh", "-c", script], tmp_path, ENVIRONMENT, 1.0))
    inner = int(await written(tmp_path / "inner"))
    assert (await task).status is None
    assert not child_running(inner)


async def test_a_check_that_nobody_waits_for_any_more_ends(tmp_path: Path) -> None:
    script = f"trap '' TERM; sh -c 'echo $$ > {tmp_path}/inner; exec sleep 600' & wait"
    task = asyncio.create_task(run(["sh", "-c", script], tmp_path, ENVIRONMENT, 600))
    inner = int(await written(tmp_path / "inner"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not child_running(inner)


async def test_what_a_check_leaves_behind_neither_holds_it_up_nor_stays(tmp_path: Path) -> None:
    ran = await run(["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/left; echo done"], tmp_path, ENVIRONMENT, 60)
    assert (ran.status, ran.tail) == (0, "done")
    assert not child_running(int((tmp_path / "left").read_text()))


async def test_a_check_that_cannot_be_started_or_is_killed_says_so(tmp_path: Path) -> None:
    missing = await run(["no-such-program"], tmp_path, ENVIRONMENT, 60)
    killed = await run(["sh", "-c", "kill -9 $$"], tmp_path, ENVIRONMENT, 60)
    assert (missing.status, missing.signal_name) == (127, None)
    assert "no-such-program could not be started" in missing.tail
    assert killed.signal_name == "SIGKILL"


async def test_only_the_policy_and_the_base_name_checks_and_never_the_worktree(place: Place) -> None:
    commit(
        place.repository, {".semo/checks.toml": '[checks.base]\nrun = ["true"]\n[checks.own]\nrun = ["false"]\n'}, "c"
    )
    tree = await place.worktrees.take("BE", "login")
    commit(tree.path, {".semo/checks.toml": '[checks.mine]\nrun = ["rm"]\n[checks.base]\nrun = ["rm"]\n'}, "mine")
    rules, repository = policy(own=["make"]), Git(place.repository)

    found = checks_named(["own", "base", "own"], rules, repository, "main", from_base=True)
    assert [(one.name, one.run) for one in found] == [("own", ("make",)), ("base", ("true",))]
    with pytest.raises(PolicyForbids, match='no check "mine"; it knows: base, own'):
        checks_named(["mine"], rules, repository, "main", from_base=True)
    with pytest.raises(PolicyForbids, match='no check "base"; it knows: own'):
        checks_named(["base"], rules, repository, "main", from_base=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[checks", r"checks\.toml on main"),
        ("[other]\n", 'unknown field "other"'),
        ('[checks.a]\nrun = "make"\n', r"checks\.a\.run"),
        ("[checks.a]\nrun = []\n", r"checks\.a\.run"),
        ("# " + "x" * 70_000, "at most 65536"),
    ],
)
async def test_a_file_on_the_base_that_makes_no_sense_is_named(place: Place, text: str, words: str) -> None:
    commit(place.repository, {".semo/checks.toml": text}, "c")
    with pytest.raises(InvalidPayload, match=words):
        checks_named(["a"], policy(), Git(place.repository), "main", from_base=True)


async def test_files_and_commits_are_known_by_git_since_the_work_began(place: Place) -> None:
    tree = await place.work("BE", "login", {"src/old.py": "before this job\n"})
    began = git(tree.path, "rev-parse", "HEAD").strip()
    wanted = CheckWork(must_change=["src/**", "tests/"], must_not_change=["docs/**", "*.lock"], commit=True)

    def look(since: str | None) -> dict[str, bool]:
        work = conditions.work_in(Git(tree.path), "main", since)
        return {str(one.get("pattern", one["kind"])): one["holds"] for one in conditions.of_files(wanted, work)}

    nothing_yet = {"commit": False, "src/**": False, "tests/": False, "docs/**": True, "*.lock": True}
    assert look(began) == look("HEAD") == nothing_yet
    assert look(None) == nothing_yet | {"commit": True, "src/**": True}, "without a beginning, all of the branch counts"
    (tree.path / "src" / "new.py").write_text("not committed\n")
    assert look(began) == nothing_yet | {"src/**": True}
    commit(tree.path, {"src/new.py": "x\n", "tests/t.py": "x\n", "deep/a.lock": "x\n"}, "work")
    assert look(began) == {"commit": True, "src/**": True, "tests/": True, "docs/**": True, "*.lock": False}
    (tree.path / "left.txt").write_text("forgotten\n")
    assert look(began)["commit"] is False

    with pytest.raises(InvalidPayload, match='no commit "nowhere"'):
        conditions.work_in(Git(tree.path), "main", "nowhere")
