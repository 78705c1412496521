"""`semo demo`, as `make demo` runs it: it works, it says so in its last line, and it leaves nothing behind."""

import asyncio
import os
from pathlib import Path

from tests.support.claude_cli import ClaudeHome, claude_program
from tests.support.claude_office import DONE
from tests.support.messages_api import MessagesApi, say
from tests.support.processes import command_lines, environment_of
from tests.support.running_office import SEMO, semo


def processes_of_demos(folder: Path) -> list[str]:
    """Command lines of processes that know a demo's temporary folder from their command line or environment."""
    found: list[str] = []
    for pid, line in command_lines():
        try:
            known = line + environment_of(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if f"{folder}/semo-demo-" in known:
            found.append(line)
    return found


async def test_the_demo_works_and_leaves_nothing_behind(tmp_path: Path):
    said = await semo("demo", TMPDIR=str(tmp_path))
    assert said.exit_code == 0, said.out + said.err
    summary = said.last_line
    assert summary["ok"] is True
    assert summary["agent"] == "shell"
    assert summary["commands"] == summary["results"] >= 7
    assert summary["sessions"] >= 3
    assert "agent_command_results" in said.out
    assert "BE │ 1 test passed\n" in said.out
    assert "BE │ cat > greet.py" not in said.out, "the echo of the prompt is not what came of it"
    assert list(tmp_path.iterdir()) == []
    assert processes_of_demos(tmp_path) == []


async def test_a_demo_that_is_interrupted_cleans_up_too(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        *SEMO, "demo", env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = b""
    while b"the office is open" not in (line := await process.stdout.readline()):
        said += line
        assert line, f"the demo ended before its office was open, and said: {said.decode()}"
    process.terminate()
    await process.stdout.read()
    assert await process.wait() == 130
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("semo-demo-")] == []
    assert processes_of_demos(tmp_path) == []


async def test_the_demo_works_with_claude_when_asked(tmp_path: Path):
    async with MessagesApi.serving() as api:
        api.script("sentence", say("It is a place to work in.\n", DONE))
        api.script("folder", say("In my own worktree.\n", DONE))
        home = ClaudeHome.make(tmp_path / "home", api.url, [])
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "claude").symlink_to(claude_program())
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        said = await semo("demo", "--agent", "claude", **{**home.environment, "PATH": path})
    assert said.exit_code == 0, said.out + said.err
    assert (said.last_line["ok"], said.last_line["agent"]) == (True, "claude")
    assert said.last_line["commands"] == said.last_line["results"] >= 7
