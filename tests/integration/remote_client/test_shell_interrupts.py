"""An interrupt is for the whole script: what runs gets a Ctrl-C, and nothing of it begins any more."""

import asyncio
from pathlib import Path

import pytest

from shared.states import TurnOutcome
from tests.integration.remote_client.office import written
from tests.integration.remote_client.shells import DONE, Shell

AFTERWARDS = "echo afterwards > later"


@pytest.mark.parametrize(
    "script",
    [
        f"sleep 60\n{AFTERWARDS}",
        f"sleep 60; {AFTERWARDS}",
        f"sleep 60 && true\n{AFTERWARDS}\n{AFTERWARDS}\ntrue > later\n{{ :; }} > later",
        f"for i in 1 2; do sleep 60; {AFTERWARDS}; done\n{AFTERWARDS}",
        f"while sleep 60; do :; done\n{AFTERWARDS}\n{AFTERWARDS}",
        f"while :; do :; done\n{AFTERWARDS}",
        f"{{ sleep 60\n{AFTERWARDS}\n}}\n{AFTERWARDS}",
        f"(sleep 60; {AFTERWARDS})\n{AFTERWARDS}",
        f"read x\n{AFTERWARDS}",
        f"sleep 60 & wait\n{AFTERWARDS}",
        f"sh -c 'trap \"exit 0\" INT; while :; do sleep 0.05; done'\n{AFTERWARDS}",
        f"exec 2>/dev/null\nsleep 60\n{AFTERWARDS}",
        f"set -ux\nsleep 60\n{AFTERWARDS}",
        f"set -C\nsleep 60\n{AFTERWARDS}\n{AFTERWARDS}",
        f"bash --norc -c 'sleep 60'\nif true; then\n{AFTERWARDS}\nfi",
        "\n".join(["sleep 60", *[AFTERWARDS] * 200]),
    ],
)
async def test_nothing_of_an_interrupted_script_begins_any_more(shell: Shell, tmp_path: Path, script: str) -> None:
    running = asyncio.create_task(shell.run(f"echo x > started\n{script}"))
    await written(tmp_path / "started")

    await shell.driver.interrupt("cancel")

    ended = await running
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, True), ended
    assert not (tmp_path / "later").exists()
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE, await shell.put_out()
    assert not (tmp_path / "later").exists()


@pytest.mark.parametrize("moment", range(5))
async def test_an_interrupt_between_short_commands_stops_the_others(shell: Shell, tmp_path: Path, moment: int) -> None:
    waits = [f"echo {number} > before" for number in range(moment)]
    script = "\n".join(["echo x > started", *waits, *[f"echo {number} >> steps" for number in range(500)]])
    (tmp_path / "steps").touch()
    running = asyncio.create_task(shell.run(script))
    await written(tmp_path / "started")

    await shell.driver.interrupt("cancel")

    ended = await running
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, True), ended
    assert len((tmp_path / "steps").read_text().splitlines()) < 400
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE, await shell.put_out()


async def test_an_interrupted_unfinished_script_is_still_told_as_unfinished_the_next_time(
    shell: Shell, tmp_path: Path
) -> None:
    running = asyncio.create_task(shell.run("echo x > started\nsleep 60\nif true; then"))
    await written(tmp_path / "started")

    await shell.driver.interrupt("cancel")

    assert (await running).outcome is TurnOutcome.INTERRUPTED
    assert (await shell.run("if true; then")).evidence[-1]["prompt"] == "continuation"
    assert (await shell.run(DONE)).outcome is TurnOutcome.DONE


async def test_what_somebody_types_after_an_interrupt_runs(shell: Shell, tmp_path: Path) -> None:
    running = asyncio.create_task(shell.run("echo x > started; sleep 60\ntrue"))
    await written(tmp_path / "started")
    await shell.driver.interrupt("cancel")
    await running

    await shell.terminals.write(shell.session_id, b"echo typed > byhand\r")

    assert await written(tmp_path / "byhand") == "typed\n"


async def test_an_interrupt_leaves_one_empty_line_at_most(shell: Shell, tmp_path: Path) -> None:
    running = asyncio.create_task(shell.run("echo x > started; sleep 60\ntrue\ntrue\ntrue"))
    await written(tmp_path / "started")

    await shell.driver.interrupt("cancel")
    await running

    after = (await shell.put_out()).partition("^C")[2]
    assert after.count("\n") - after.count("\x1b[A") <= 2, after


async def test_a_script_that_ignores_the_interrupt_is_killed_with_everything_in_it(shell: Shell) -> None:
    ended = await shell.run("trap '' INT; sh -c 'trap \"\" INT; sleep 60'", timeout_seconds=0.5)

    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, False)
    assert [one["kind"] for one in ended.evidence] == ["timeout", "exit"]


async def test_a_script_that_catches_the_interrupt_is_ended_with_its_shell_before_it_goes_on(
    shell: Shell, tmp_path: Path
) -> None:
    running = asyncio.create_task(shell.run(f"trap true INT\necho x > started; sleep 60\n{AFTERWARDS}"))
    await written(tmp_path / "started")

    await shell.driver.interrupt("cancel")

    ended = await running
    assert (ended.outcome, ended.alive) == (TurnOutcome.INTERRUPTED, False)
    assert not (tmp_path / "later").exists()
