"""A session's output as a recording: what comes when, where it jumps to, and what is downloaded."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from office_server.backend.pages import SessionEvent, TimedChunk
from office_server.dashboard.recording import Recording
from office_server.dashboard.supabase_links import address_of_row
from office_server.dashboard.tabs.logs import marked

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def chunk(seconds: float, text: str) -> TimedChunk:
    return TimedChunk.model_validate(
        {"start_offset": 0, "end_offset": len(text), "text": text, "at": BEGAN + timedelta(seconds=seconds)}
    )


def event(seconds: float, kind: str) -> SessionEvent:
    return SessionEvent(id=1, kind=kind, detail={}, at=BEGAN + timedelta(seconds=seconds))


def test_a_long_pause_is_shortened_and_moments_stay_with_what_was_put_out_before_them():
    events = [event(601.5, "turn.ended"), event(1.2, "turn.started")]
    recording = Recording([chunk(0, "a"), chunk(1, "b"), chunk(601, "c")], events)
    assert recording.length_seconds == 4.0
    assert [(one.kind, one.seconds) for one in recording.moments] == [("turn.started", 1.0), ("turn.ended", 4.0)]


def test_what_is_played_piece_by_piece_is_all_of_it_once():
    recording = Recording([chunk(0, "a"), chunk(0.05, "b"), chunk(0.31, "c")], [])
    pieces, at = recording.between(-1, 0.0), 0.0
    while at < recording.length_seconds:
        pieces += recording.between(at, at + 0.1)
        at += 0.1
    assert pieces == "abc"


def test_a_download_is_an_asciicast_with_the_true_times():
    head, first, second = Recording([chunk(0, "ab"), chunk(601, "한")], []).asciicast(80, 24, "BE").splitlines()
    assert json.loads(head) == {"version": 2, "width": 80, "height": 24, "timestamp": 1795262400, "title": "BE"}
    assert json.loads(first) == [0.0, "o", "ab"]
    assert json.loads(second) == [601.0, "o", "한"]


def test_the_lines_are_those_of_every_shell_that_a_session_had():
    def turn(nonce: str, said: str) -> str:
        begins, ends = (f"\x1b]133;{kind};{nonce};4711;himBHs\x07" for kind in "CD")
        return f"{ends}# echo {said}\r\n{begins}{said}\r\n\x1b]133;D;forged;1\x07still {said}\r\n{ends}# "

    text = Recording([chunk(0, turn("one", "first")), chunk(1, turn("two", "second"))], []).text("shell")
    assert text == "first\nstill first\nsecond\nstill second\n"


def test_the_lines_are_without_escapes():
    assert Recording([chunk(0, "\x1b[31mred\x1b[0m\r\nnext\r\n")], []).text("claude") == "red\nnext\n"


def test_nothing_that_a_terminal_prints_becomes_html():
    assert marked("<b>x</b>", "") == "&lt;b&gt;x&lt;/b&gt;"
    assert marked("<b>x</b>", "<B>") == "<mark>&lt;b&gt;</mark>x&lt;/b&gt;"
    assert marked("a.b", ".") == "a<mark>.</mark>b"


def test_a_row_is_found_in_the_dashboard_of_its_project_and_nowhere_else():
    row = uuid4()
    cloud = address_of_row("https://abcdefgh.supabase.co", "agent_commands", row)
    assert cloud is not None
    assert cloud.startswith("https://supabase.com/dashboard/project/abcdefgh/")
    assert str(row) in cloud
    local = address_of_row("http://127.0.0.1:54321", "agent_commands", row)
    assert local is not None
    assert local.startswith("http://127.0.0.1:54323/")
    assert address_of_row("http://127.0.0.1:8401", "agent_commands", row) is None
