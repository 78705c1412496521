"""The shell agent in a real terminal with a real bash: how turns end, and what is never taken for the agent's word."""

import asyncio

import pytest

from shared.states import TurnOutcome
from tests.integration.remote_client.shells import DONE, Shell


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


async def test_a_flood_neither_hides_the_marker_nor_starves_the_loop(shell: Shell) -> None:
    longest, running = 0.0, asyncio.create_task(shell.run(f"seq 1 300000\n{DONE}", timeout_seconds=30))
    clock = asyncio.get_running_loop().time
    while not running.done():
        before = clock()
        await asyncio.sleep(0.001)
        longest = max(longest, clock() - before)

    assert (await running).outcome is TurnOutcome.DONE
    assert longest < 0.5
