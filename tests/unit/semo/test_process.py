"""A part of the office as a child process: it says when it is ready, comes back when it dies, and goes when told."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from semo.problems import SemoError
from semo.process import Part

READY = "import json, signal, sys; print(json.dumps({'pid_is_mine': True}), flush=True); signal.pause()"


def part(tmp_path: Path, code: str, **env: str) -> Part:
    return Part("test part", ["-c", code], env, tmp_path / "part.log")


async def test_start_returns_what_the_ready_line_says(tmp_path: Path):
    child = part(tmp_path, READY)
    assert await child.start() == {"pid_is_mine": True}
    await child.stop()


async def test_an_error_line_becomes_words(tmp_path: Path):
    code = "import json; print(json.dumps({'error': 'port_busy', 'message': 'port 1 is in use', 'do': 'another'}))"
    with pytest.raises(SemoError) as caught:
        await part(tmp_path, code).start()
    assert (caught.value.what, caught.value.do) == ("port 1 is in use", "another")


async def test_a_child_that_dies_before_it_is_ready_is_quoted(tmp_path: Path):
    with pytest.raises(SemoError) as caught:
        await part(tmp_path, "import sys; sys.exit('no such luck')").start()
    assert "exit code 1" in caught.value.what
    assert "no such luck" in caught.value.do


async def test_a_child_that_is_killed_comes_back(tmp_path: Path):
    child = part(tmp_path, READY)
    await child.start()
    said: asyncio.Queue[str] = asyncio.Queue()
    keeper = asyncio.create_task(child.keep_running(said.put_nowait))
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert "SIGKILL" in await said.get()
    assert "is back" in await said.get()
    assert child.pid != first
    await child.stop()
    await keeper


async def test_a_child_that_was_stopped_stays_stopped(tmp_path: Path):
    child = part(tmp_path, READY)
    await child.start()
    keeper = asyncio.create_task(child.keep_running(lambda _: None))
    await child.stop()
    await keeper
    assert child.restarts == 0


async def test_a_child_that_ends_for_good_is_not_asked_again(tmp_path: Path):
    code = "import sys; print('{}', flush=True); sys.exit(4)"
    child = Part("test part", ["-c", code], {}, tmp_path / "part.log", frozenset({4}))
    said: list[str] = []
    await child.start()
    await child.keep_running(said.append)
    assert (child.restarts, len(said), "is not started again" in said[0]) == (0, 1, True)


async def test_a_child_sees_nothing_of_our_environment_but_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOME_AMBIENT_SECRET", "x")
    child = part(
        tmp_path, "import json, os, signal; print(json.dumps(dict(os.environ)), flush=True); signal.pause()", MINE="1"
    )
    environment = await child.start()
    await child.stop()
    assert environment["MINE"] == "1"
    assert "SOME_AMBIENT_SECRET" not in environment
