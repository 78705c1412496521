"""What one turn leaves behind, the next turn of the same session never sees; and what was work is kept."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from remote_client.agents.shell_stream import STOP_FILE
from tests.integration.remote_client.office import MakeMachine, Office, git

DONE = "echo '[SEMO:DONE]'"
GIT_FOLDER = "$(git rev-parse --git-dir)"


@dataclass(frozen=True)
class Leftover:
    """How a turn leaves something behind, and the shell's test for whether it is there."""

    leave: str
    is_there: str


NO_WORK = {
    "an environment variable": Leftover("export LEFT=x", '[ -n "${LEFT-}" ]'),
    "a function": Leftover("left() { :; }", "declare -F left"),
    "an alias": Leftover("alias left=ls", "alias left"),
    "a shell option": Leftover("set -o noclobber", '[[ $- == *C* ]]'),
    "a limit": Leftover("ulimit -n 77", '[ "$(ulimit -n)" = 77 ]'),
    "a mask": Leftover("umask 027", '[ "$(umask)" = 0027 ]'),
    "a command in the history": Leftover("history -s left", "history | grep -qx ' *[0-9]* *left'"),
    "a trap": Leftover("trap : USR1", "trap -p USR1 | grep -q USR1"),
    "a process in the background": Leftover("sleep 7321 &", "pgrep -fx 'sleep 7321'"),
    "a daemon": Leftover("setsid -f sleep 7322", "pgrep -fx 'sleep 7322'"),
    "an ignored file": Leftover("mkdir -p build && touch build/left", "ls build/left"),
    "a repository among the ignored files": Leftover("git init -q build/nested", "ls build/nested"),
    "a setting of the worktree": Leftover(
        "git config extensions.worktreeConfig true; git config --worktree user.name Left",
        '[ "$(git config user.name)" = Left ]',
    ),
    "the message of a commit that is gone": Leftover(
        "git commit -q --allow-empty -m left; git reset -q --hard HEAD~1",
        f"grep -q left {GIT_FOLDER}/COMMIT_EDITMSG",
    ),
    "a file in the agent's own folder": Leftover(
        f'touch "$(dirname "${STOP_FILE}")/left"', f'ls "$(dirname "${STOP_FILE}")/left"'
    ),
    "a stash": Leftover("echo more >> README.md; git stash push -q -m left", "git stash list | grep -q ."),
    "a directory": Leftover("cd /", "[ $PWD = / ]"),
}  # fmt: skip
WORK = {
    "an untracked file": Leftover("echo left > work.txt", "ls work.txt"),
    "a staged change": Leftover("echo left >> README.md; git add README.md", "grep -q left README.md"),
    "a commit": Leftover("echo left > work.txt; git add .; git commit -qm left", "git log --format=%s | grep -q left"),
    "a change that is hidden from git": Leftover(
        "git update-index --assume-unchanged README.md; echo left >> README.md", "grep -q left README.md"
    ),
    "a note beside the persona": Leftover("echo left >> .claude/CLAUDE.md", "grep -q left .claude/CLAUDE.md"),
    "another branch": Leftover("git checkout -q -b left", "[ $(git branch --show-current) = left ]"),
    "a merge that is not finished": Leftover(
        "git checkout -q -b side; echo a > README.md; git commit -qam a; git checkout -q -;"
        " echo b > README.md; git commit -qam b; git merge side || :",
        f"ls {GIT_FOLDER}/MERGE_HEAD",
    ),
}


@pytest.fixture
def repository(repository: Path) -> Path:
    (repository / ".gitignore").write_text("build/\n")
    git("-C", str(repository), "add", ".")
    git("-C", str(repository), "commit", "--quiet", "-m", "what is ignored")
    return repository


async def after_a_turn(office: Office, text: str) -> tuple[UUID, Path]:
    """A session that is idle again after a turn, and the worktree that the turn ran in."""
    session_id = await office.session()
    place = await place_of(office, session_id)
    answer = await office.do("send_prompt", {"text": f"{text}\n{DONE}"}, session_id=session_id)
    assert answer.status == "completed", answer
    await office.do("release_session", session_id=session_id)
    await office.until_true(
        "select 1 from agent_sessions where id = %s and status = 'ready' and acquired_by is null", session_id
    )
    return session_id, place


async def place_of(office: Office, session_id: UUID) -> Path:
    [row] = await office.sql("select worktree_path from agent_sessions where id = %s", session_id)
    return Path(row["worktree_path"])


async def still_there(office: Office, session_id: UUID, leftovers: dict[str, Leftover]) -> list[str]:
    """Those that a turn of the same session finds."""
    looks = [
        f"if ({one.is_there}) >/dev/null 2>&1; then echo FOUND-{number}-; fi"
        for number, one in enumerate(leftovers.values())
    ]
    answer = await office.do("send_prompt", {"role": "BE", "text": "\n".join([*looks, DONE])})
    assert answer.status == "completed", answer
    assert UUID(answer.result["session_id"]) == session_id, "it is the same session"
    output = (await office.output_of(session_id)).encode()[answer.result["output_start"] :].decode()
    said = output.replace("echo FOUND", "")  # what was typed is shown as well
    return [name for number, name in enumerate(leftovers) if f"FOUND-{number}-" in said]


async def test_a_turn_that_comes_second_finds_nothing_of_the_first(office: Office, machine: MakeMachine) -> None:
    await (await machine(max_sessions=1)).start()
    session_id, before = await after_a_turn(office, "\n".join(one.leave for one in NO_WORK.values()))

    assert await still_there(office, session_id, NO_WORK) == []
    assert await place_of(office, session_id) == before, "nothing of it was work"


async def test_within_one_turn_all_of_it_is_found(office: Office, machine: MakeMachine) -> None:
    """The test above can fail."""
    await (await machine(max_sessions=1)).start()
    script = [
        line
        for name, one in NO_WORK.items()
        for line in (one.leave, f'if ! ({one.is_there}) >/dev/null 2>&1; then echo "missing: {name}"; exit 1; fi')
    ]
    answer = await office.do("send_prompt", {"role": "BE", "text": "\n".join([*script, DONE])})
    assert answer.status == "completed", answer


@pytest.mark.parametrize("name", WORK)
async def test_work_that_was_left_is_kept_in_its_worktree_and_the_next_turn_gets_another_one(
    office: Office, machine: MakeMachine, name: str
) -> None:
    await (await machine(max_sessions=1)).start()
    leftover = WORK[name]
    session_id, before = await after_a_turn(office, leftover.leave)

    assert await still_there(office, session_id, {name: leftover}) == []
    assert await place_of(office, session_id) != before
    kept = git("-C", str(before), "log", "--all", "--format=%s") + git("-C", str(before), "status", "--porcelain")
    kept += (before / "README.md").read_text() + git("-C", str(before), "branch", "--show-current")
    persona = before / ".claude/CLAUDE.md"
    kept += persona.read_text() if persona.exists() else ""
    assert any(word in kept for word in ("left", "work.txt", "UU README.md")), kept


async def test_a_stash_is_kept_aside_and_the_office_is_told_where(office: Office, machine: MakeMachine) -> None:
    await (await machine(max_sessions=1)).start()
    session_id, place = await after_a_turn(office, "echo precious >> README.md; git stash push -q")

    [told] = await office.until_true(
        "select detail from session_events where session_id = %s and kind = 'stashes_kept'", session_id
    )
    [reference] = told["detail"]["references"]
    git("-C", str(place), "stash", "apply", reference)
    assert "precious" in (place / "README.md").read_text()


async def test_the_size_of_a_terminal_is_what_it_was_before_anybody_changed_it(
    office: Office, machine: MakeMachine
) -> None:
    await (await machine(max_sessions=1)).start()
    session_id = await office.session()
    await office.do("resize", {"cols": 61, "rows": 17}, session_id=session_id)
    await office.do("release_session", session_id=session_id)

    answer = await office.do("send_prompt", {"role": "BE", "text": f"[ \"$(stty size)\" = '40 120' ] && {DONE}"})

    assert answer.status == "completed", answer
    [row] = await office.sql("select cols, rows from agent_sessions where id = %s", session_id)
    assert row == {"cols": 120, "rows": 40}
