"""What a person sees of a command: each step of each attempt, why it waits, and never an order to the terminal."""

from typing import Any

import pytest

from semo import command_view, console

STORED = "2026-11-29T12:00:00.000000+00:00"


def at(seconds: float) -> str:
    return f"2026-11-29T12:00:{seconds:09.6f}+00:00"


def receipt(attempt: int, ended: str | None, **steps: str) -> dict[str, Any]:
    names = ("offered", "claimed", "typed", "confirmed", "finished", "reported")
    return {"attempt": attempt, "client_id": None, "ended": ended, "error_code": None} | {
        f"{name}_at": steps.get(name) for name in names
    }


def command(**more: Any) -> dict[str, Any]:
    return {
        "id": "4f1c0000-0000-4000-8000-000000000000", "command_type": "send_prompt", "status": "completed",
        "author": "token:ci", "session_id": None, "payload": {"role": "BE", "text": "make it work"}, "deadline": None,
        "created_at": STORED, "typed_at": None, "finished_at": None, "waiting": None, "error": None,
        "error_code": None, "result": None, "receipts": [receipt(1, None, offered=STORED)],
    } | more  # fmt: skip


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(console.out, "width", 200)

    def read() -> str:
        return capsys.readouterr().out

    return read


def test_each_step_of_each_attempt_is_shown_by_how_long_after_it_was_stored(shown: Any):
    first = receipt(1, "rescued", offered=STORED, claimed=at(0.006))
    second = receipt(2, "completed", offered=at(31), claimed=at(31.5), typed=at(32), finished=at(40), reported=at(40.1))
    command_view.draw(command(receipts=[first, second]))
    text = shown()
    assert "+6 ms" in text
    assert "rescued" in text
    assert "+32 s" in text
    assert "completed" in text


def test_why_it_waits_comes_with_what_to_do(shown: Any):
    waiting = {"reason": "no_client_online", "detail": "No machine is online.", "advice": "semo client start"}
    command_view.draw(command(status="pending", waiting=waiting))
    text = shown()
    assert "No machine is online." in text
    assert "semo client start" in text


def test_what_others_wrote_gives_no_orders_to_the_terminal(shown: Any):
    command_view.draw_list([command(author="\x1b]0;mine\x07", payload={"text": "a\x1b[2Jb\nc"})])
    assert "\x1b]0" not in shown()


def test_an_empty_list_says_so(shown: Any):
    command_view.draw_list([])
    assert "nothing was asked for yet" in shown()


def test_the_audit_log_says_who_did_what_to_what(shown: Any):
    act = {"at": STORED, "actor": "user:7", "action": "token.revoked", "subject": "t1", "detail": {"name": "ci"}}
    command_view.draw_audit([act])
    text = shown()
    assert all(word in text for word in ("user:7", "token.revoked", "t1", "ci"))
