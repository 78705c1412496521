"""`semo desktop` as a command: one window for each client, which ends in order; without the extra, one line of help."""

import asyncio
import fcntl
import importlib.util
import os
import signal
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semo.cli import app

SECONDS = 60


async def start(state: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "semo", "desktop", "--state", str(state), "--data", str(state / "none"),
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip


def is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return bool(lock.read_text())
    return False


async def test_a_second_start_brings_the_first_window_up_and_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    first = await start(tmp_path)
    try:
        async with asyncio.timeout(SECONDS):
            while not is_held(tmp_path / "desktop.lock"):  # noqa: ASYNC110  another process's lock
                await asyncio.sleep(0.1)
            second = await start(tmp_path)
            assert await second.wait() == 0
            assert first.returncode is None
            first.send_signal(signal.SIGTERM)
            assert await first.wait() == 0
    finally:
        if first.returncode is None:
            first.kill()
            await first.wait()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without_qt(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "PySide6" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_qt)
    said = CliRunner().invoke(app, ["desktop"])
    assert said.exit_code == 2
    assert "semo-office[desktop]" in said.stderr
