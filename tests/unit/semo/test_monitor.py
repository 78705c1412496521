"""`semo monitor replay`, as a person calls it: JSON lines, or one clear line and an exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semo", "monitor", "replay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("more", [[], ["--agent", "claude"], ["--chunk", "4096"]])
def test_each_finding_is_one_line_of_json(more: list[str]) -> None:
    run = replay(str(RECORDINGS / "tool_bash_permission.cast"), *more)

    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, run.stderr
    assert [line["kind"] for line in lines] == ["turn_started", "needs_permission", "marker", "turn_ended"]
    assert all({"t", "evidence", "detail"} <= line.keys() for line in lines)
    assert (lines[-1]["outcome"], lines[-1]["marker"]) == ("done", True)


def test_a_recording_of_old_text_gives_no_line() -> None:
    run = replay(str(RECORDINGS / "resume_2_repaint.cast"))

    assert (run.returncode, run.stdout) == (0, "")


def test_a_turn_that_nobody_saw_the_end_of_is_lost() -> None:
    run = replay(str(RECORDINGS / "ours" / "kill9_197.cast"))

    assert json.loads(run.stdout.splitlines()[-1])["outcome"] == "lost"


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        ("hello", [], "no recording"),
        (None, [], "cannot read"),
        ('{"version": 2, "width": 80, "height": 24}\n', ["--agent", "nobody"], "no agent is called 'nobody'"),
    ],
)
def test_what_cannot_be_played_is_told_in_one_line(
    tmp_path: Path, content: str | None, arguments: list[str], says: str
) -> None:
    file = tmp_path / "file.cast"
    if content is not None:
        file.write_text(content)

    run = replay(str(file), *arguments)

    assert run.returncode == 2
    assert says in run.stderr
    assert "Traceback" not in run.stderr


def test_a_recording_that_is_cut_off_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = (RECORDINGS / "prompt_echo.cast").read_text()
    file = tmp_path / "file.cast"
    file.write_text(whole[: len(whole) - 40])

    run = replay(str(file))

    assert run.returncode == 0
    assert "cut off" in run.stderr
    assert [json.loads(line)["kind"] for line in run.stdout.splitlines()].count("turn_ended") == 2
