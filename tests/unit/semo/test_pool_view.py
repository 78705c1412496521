"""What `semo status` shows of the pools of an office, at the narrowest terminal that our tables are made for."""

import copy
from typing import Any

import pytest
from rich.console import Console

from semo import console
from semo.pool_view import draw

AT = "2026-11-21T12:04:00+00:00"
LAPTOP = {
    "client_id": "laptop-id", "name": "laptop", "online": True, "connection": "live", "last_seen_at": AT,
    "capacity": 6, "places_taken": 1, "agents": {"shell": "5.2"}, "warm_roles": ["FE", "BE"], "holding_back": None,
    "draining_since": None,
}  # fmt: skip
MAC: dict[str, Any] = {
    "client_id": "mac-id", "name": "mac", "online": False, "connection": "offline",
    "last_seen_at": "2026-11-21T09:00:30+00:00", "capacity": 6, "places_taken": 0,
    "agents": {"claude": "2.1", "shell": "5.2"}, "warm_roles": [], "holding_back": None, "draining_since": None,
}  # fmt: skip
IDLE = {
    "session_id": "aaaaaaaa-0000-0000-0000-000000000000", "client_id": "laptop-id", "role": "FE", "agent": "shell",
    "pool": "warm", "status": "ready", "task": "work-1", "acquired_by": None, "held_since": None,
    "idle_since": "2026-11-21T12:01:00+00:00", "created_at": "2026-11-21T12:00:00+00:00",
}  # fmt: skip
BUSY = IDLE | {
    "session_id": "bbbbbbbb-0000-0000-0000-000000000000", "role": "QA", "pool": "cold", "status": "executing",
    "task": "login", "acquired_by": "command-id", "held_since": "2026-11-21T12:03:48+00:00", "idle_since": None,
}  # fmt: skip
HOLDERS = {"command-id": {"id": "command-id", "command_type": "send_prompt", "author": "token:ada"}}
CIRCUIT = {
    "client_id": "laptop-id", "role": "BE", "failures": 3, "error_code": "session_failed",
    "error": "the shell shows no prompt", "opened_at": AT, "open_until": "2026-11-21T12:04:40+00:00",
}  # fmt: skip
PENDING = {
    "command_id": "4f1c2f0e-5a0c-4b7e-9a53-0a4d2b8f7c11", "command_type": "send_prompt", "session_id": None,
    "role": "BE", "created_at": "2026-11-21T12:03:00+00:00",
    "waiting": {"reason": "circuit_open", "detail": "Sessions of this role could not be made on laptop."},
}  # fmt: skip
POOL: dict[str, Any] = {
    "at": AT, "session_limit": 6, "places_taken": 1, "warm_roles": ["FE", "BE"], "clients": [LAPTOP, MAC],
    "sessions": [BUSY, IDLE], "circuits": [CIRCUIT], "pending": [PENDING], "pending_total": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "out", Console(highlight=False, soft_wrap=True, width=80))


def drawn(capsys: pytest.CaptureFixture[str], **changes: Any) -> list[str]:
    """Its lines."""
    draw(copy.deepcopy(POOL) | changes, HOLDERS)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_machine_that_hears_no_hints_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn(capsys, clients=[LAPTOP | {"connection": "polling"}])
    assert "● laptop · polling · no hints reach it, it looks every few seconds · 1 of 6 in use · shell 5.2" in lines


def test_it_says_who_holds_which_session_and_which_is_idle_or_missing(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys)
    assert "  1 of 6 sessions in use · 3 commands wait · kept warm: FE, BE" in lines
    begin = lines.index("● laptop · live · 1 of 6 in use · shell 5.2")
    assert lines[begin + 1 : begin + 5] == [
        "  role/task  pool  state            for  session   held by",
        "  FE/work-1  warm  idle           3 min  aaaaaaaa",
        "  QA/login   cold  working         12 s  bbbbbbbb  prompt of token:ada",
        "  BE         warm  not there yet",
    ]


def test_it_says_since_when_a_machine_is_away(capsys: pytest.CaptureFixture[str]):
    assert "○ mac · offline since 2026-11-21 09:00 UTC · 3 h ago" in drawn(capsys)


def test_it_says_why_each_command_waits_and_how_many_more_there_are(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys)
    begin = lines.index("waiting")
    assert lines[begin + 1 :] == [
        "  4f1c2f0e-5a0c-4b7e-9a53-0a4d2b8f7c11 · send_prompt · BE · for 1 min",
        "    Sessions of this role could not be made on laptop.",
        "  and 2 more",
    ]


def test_it_says_which_circuits_are_open_and_when_the_next_trial_is(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys)
    assert "  BE on laptop: failed 3 times in a row, tried again in 40 s" in lines
    assert "    session_failed: the shell shows no prompt" in lines


def test_it_says_what_a_machine_holds_back_and_why(capsys: pytest.CaptureFixture[str]):
    low = LAPTOP | {"holding_back": {"reason": "low_memory", "free_mb": 300, "agents": {"shell": {"needed_mb": 517}}}}
    lines = drawn(capsys, clients=[low])
    assert "  ! no new session of shell: low memory, 300 MB are free and 517 MB needed" in lines


def test_it_says_of_a_machine_that_drains_how_to_end_that(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys, clients=[LAPTOP | {"draining_since": AT}])
    assert "  ! takes no new work; undo it with: semo clients drain laptop --off" in lines


def test_an_office_without_machines_says_how_one_gets_in(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys, clients=[], sessions=[], circuits=[], pending=[], pending_total=0)
    assert lines[0] == "  1 of 6 sessions in use · nothing waits · kept warm: FE, BE"
    assert "semo client join CODE" in lines[1]
    assert len(lines) == 2


def test_the_agent_stands_with_each_session_where_a_machine_has_several(capsys: pytest.CaptureFixture[str]):
    lines = drawn(capsys, clients=[LAPTOP | {"agents": MAC["agents"]}])
    assert any(line.split()[-1] == "shell" for line in lines if line.startswith("  FE/"))


def test_what_others_wrote_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]):
    shown = "\n".join(drawn(capsys, clients=[LAPTOP | {"name": "[bold]a\x1b[2Jb"}]))
    assert "\x1b" not in shown
    assert "[bold]a [2Jb" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(console, "out", Console(highlight=False, soft_wrap=True, width=width))
    assert max(map(len, drawn(capsys))) <= width
