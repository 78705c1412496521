"""The shell agent in a real terminal with a real bash: how turns end, and what is never taken for the agent's word."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from remote_client.agents.adapter import AgentDriver, TurnEnd, Typing, Wish
from remote_client.agents.shell import ShellAdapter
from remote_client.ptyhost.host import InProcessTerminals
from remote_client.terminals import FIRST_BYTE, Chunk, TerminalSpec
from shared.ids import SessionId
from shared.states import TurnOutcome
from tests.integration.remote_client.office import written

DONE = "echo '[SEMO:DONE]'"
AT_ONCE = Typing(before=lambda: None, after=lambda _offset: None)


class Shell:
    """One bash, followed as the client follows it."""

    def __init__(self, driver: AgentDriver, terminals: InProcessTerminals, session_id: SessionId) -> None:
        self.driver = driver
        self.terminals = terminals
        self.session_id = session_id

    async def run(self, script: str, timeout_seconds: float = 10) -> TurnEnd:
        return await self.driver.run_prompt(script, timeout_seconds, AT_ONCE)


@pytest_asyncio.fixture(loop_scope="session")
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    terminals, adapter, session_id = InProcessTerminals(), ShellAdapter(), SessionId(uuid4())
    launch = adapter.launch(Wish(session_id, tmp_path, tmp_path))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **launch.environment}
    await terminals.create(TerminalSpec(session_id, launch.command, tmp_path, environment, 80, 24))
    driver = adapter.drive(session_id, terminals, launch.memory)

    async def follow() -> None:
        async for chunk in terminals.follow(session_id, FIRST_BYTE):
            if isinstance(chunk, Chunk):
                driver.feed(chunk)
        driver.end(await terminals.wait(session_id))

    following = asyncio.create_task(follow())
    await driver.until_ready(5)
    yield Shell(driver, terminals, session_id)
    await terminals.kill(session_id, 0.2)
    await following


@pytest.mark.parametrize(
    "script",
    [
        DONE,
        "printf '[SEMO:DONE]'",
        f"{DONE}\nfalse",
        "cat <<EOF\n[SEMO:DONE]\nEOF",
        f"set -x\n{DONE}",
        f"set -v\n{DONE}",
        f"clear; {DONE}",
        "printf 'é\\377\\033c[SEMO:DONE]\\n'",
        f"exec 2>/dev/null\n{DONE}",
        f"PS1='mine '\n{DONE}",
        f"{DONE}; sleep 0.2; echo more",
        f"{DONE}\nexit 0",
        f"echo '!important'\n{DONE}",
    ],
)
async def test_a_marker_in_the_output_is_done(shell: Shell, script: str) -> None:
    ended = await shell.run(script)

    assert (ended.outcome, ended.marker) == (TurnOutcome.DONE, True), ended


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("echo hello", TurnOutcome.WAITING_INPUT),
        ("# only a comment", TurnOutcome.WAITING_INPUT),
        ("if true; then", TurnOutcome.WAITING_INPUT),
        ("cat <<EOF\n[SEMO:DONE]\n", TurnOutcome.WAITING_INPUT),
        ("false", TurnOutcome.ERROR),
        ("syntax ) error", TurnOutcome.ERROR),
        ("exit 3", TurnOutcome.ERROR),
        ("exec true", TurnOutcome.ERROR),
        ("kill -9 $$", TurnOutcome.ERROR),
        (": '\n[SEMO:DONE]\n'", TurnOutcome.WAITING_INPUT),
        ("cat > /dev/null <<EOF\n[SEMO:DONE]\nEOF", TurnOutcome.WAITING_INPUT),
        ("set -v\ncat > /dev/null <<EOF\n[SEMO:DONE]\nEOF", TurnOutcome.WAITING_INPUT),
        ("printf x\necho '[SEMO:DONE]'", TurnOutcome.WAITING_INPUT),
        (f"printf '%70s' x; {DONE}", TurnOutcome.WAITING_INPUT),
        (f"echo {'x' * 70}; printf '%69s[SEMO:DONE]\\n' x", TurnOutcome.WAITING_INPUT),
        ("bash --norc", TurnOutcome.WAITING_INPUT),
    ],
)
async def test_what_is_not_said_is_not_done(shell: Shell, script: str, outcome: TurnOutcome) -> None:
    ended = await shell.run(script)

    assert ended.outcome is outcome, ended


async def test_each_turn_begins_anew(shell: Shell) -> None:
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE
    assert (await shell.run("true")).outcome is TurnOutcome.WAITING_INPUT
    assert (await shell.run("if true; then")).outcome is TurnOutcome.WAITING_INPUT
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE


async def test_pull_requests_in_the_output_are_told(shell: Shell) -> None:
    ended = await shell.run("echo see https://github.com/acme/web/pull/12.\necho https://github.com/acme/web/issues/3")

    assert ended.pull_requests == ["https://github.com/acme/web/pull/12"]


async def test_a_script_that_ignores_the_interrupt_is_killed_with_everything_in_it(shell: Shell) -> None:
    ended = await shell.run("trap '' INT; sh -c 'trap \"\" INT; sleep 60'", timeout_seconds=0.5)

    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, False)
    assert [one["kind"] for one in ended.evidence] == ["timeout", "exit"]


async def test_an_interrupt_stops_every_command_of_the_script(shell: Shell, tmp_path: Path) -> None:
    started = tmp_path / "started"
    running = asyncio.create_task(shell.run(f"echo x > {started}; sleep 60\nsleep 61\nsleep 62"))
    await written(started)

    await shell.driver.interrupt("cancel")

    ended = await running
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, True)
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE


async def test_a_flood_neither_hides_the_marker_nor_starves_the_loop(shell: Shell) -> None:
    longest, running = 0.0, asyncio.create_task(shell.run(f"seq 1 300000\n{DONE}", timeout_seconds=30))
    clock = asyncio.get_running_loop().time
    while not running.done():
        before = clock()
        await asyncio.sleep(0.001)
        longest = max(longest, clock() - before)

    assert (await running).outcome is TurnOutcome.DONE
    assert longest < 0.5
