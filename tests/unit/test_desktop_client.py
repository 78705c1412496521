"""The window's parts that need no client: words, screens, keys, notices, starting at login."""

import os
import plistlib
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop_client.autostart import Autostart
from desktop_client.keys import key_bytes
from desktop_client.machines import ORDER, Machine
from desktop_client.notices import Notices
from desktop_client.screen import Ink, Run, Screen, inked_rows
from desktop_client.terminal import TerminalView
from desktop_client.wording import LANGUAGES, Words, read
from shared.local import Asked, ClientState, LocalApproval, LocalOffice, LocalQuestion, LocalSession

STATE = ClientState(
    "c", "laptop", "1", 7, "live", "2026-11-21T12:04:31+00:00", [LocalOffice("o", "acme/web")], 6, 0, None, "/s"
)
SESSION = LocalSession("s", "o", "BE", "shell", "cold", "executing", "agent/BE-x", "/w", 1, 80, 24, True, "do it")
APPROVAL = LocalApproval("a", "o", "s", "BE", "claude", "Bash", {"command": "ls"}, "/w", "d", "2026", told=True)
FAILED = Asked("c1", 1, "o", "s", "send_prompt", "do it", "ann", "2026", "failed", error="it failed")


def machine(**parts: object) -> Machine:
    made = Machine(Path("/nowhere"), Path("/policy.toml"), running=True, state=STATE)
    made.take(parts)
    return made


def test_the_version_of_qt_is_one_that_does_not_crash_python() -> None:
    """6.12.0 loses a reference to None with each void call."""
    assert (6, 11, 3) <= tuple(map(int, version("pyside6-essentials").split("."))) < (6, 12)


@pytest.mark.parametrize("name", LANGUAGES)
def test_each_language_has_all_words_with_the_same_blanks(name: str) -> None:
    english, other = read("en"), read(name)
    assert set(english) == set(other)
    for key, text in english.items():
        blanks = {part.split("}")[0] for part in text.split("{")[1:]}
        assert blanks == {part.split("}")[0] for part in other[key].split("{")[1:]}, key
    words = Words(name)
    for standing in ORDER:
        assert words(f"standing.{standing}", since="12:04")
        assert words(f"standing_why.{standing}")


def test_a_screen_is_read_back_with_its_colours_and_wide_letters() -> None:
    screen = Screen(40, 5)
    screen.feed("\x1b[1;31mred\x1b[0m 한글 \x1b[38;2;1;2;3;48;5;200mrgb\x1b[0m\r\n\x1b[7mback".encode())
    first, second, *_ = screen.rows()
    assert first == [
        Run(0, "red", Ink(front=1, bold=True), 3),
        Run(3, " 한글 ", Ink(), 6),
        Run(9, "rgb", Ink(front=(1, 2, 3), back=200), 3),
    ]
    assert second == [Run(0, "back", Ink(inverse=True), 4)]
    assert screen.cursor == (4, 1)
    screen.close()


def test_strange_colours_break_nothing() -> None:
    for told in ("\x1b[38m x", "\x1b[38;5m x", "\x1b[38;2;1m x", "\x1b[999;;48;7m x", "\x1b[", "\x1b[4:3mx"):
        assert isinstance(inked_rows(told), list)


@pytest.mark.parametrize(
    ("key", "text", "held", "application", "data"),
    [
        (Qt.Key.Key_A, "a", Qt.KeyboardModifier.NoModifier, False, b"a"),
        (Qt.Key.Key_C, "\x03", Qt.KeyboardModifier.ControlModifier, False, b"\x03"),
        (Qt.Key.Key_X, "x", Qt.KeyboardModifier.AltModifier, False, b"\x1bx"),
        (Qt.Key.Key_Return, "\r", Qt.KeyboardModifier.NoModifier, False, b"\r"),
        (Qt.Key.Key_Up, "", Qt.KeyboardModifier.NoModifier, False, b"\x1b[A"),
        (Qt.Key.Key_Up, "", Qt.KeyboardModifier.NoModifier, True, b"\x1bOA"),
        (Qt.Key.Key_Right, "", Qt.KeyboardModifier.ControlModifier, False, b"\x1b[1;5C"),
        (Qt.Key.Key_Delete, "", Qt.KeyboardModifier.NoModifier, False, b"\x1b[3~"),
        (Qt.Key.Key_Backtab, "", Qt.KeyboardModifier.NoModifier, False, b"\x1b[Z"),
        (Qt.Key.Key_Shift, "", Qt.KeyboardModifier.ShiftModifier, False, b""),
        (Qt.Key.Key_unknown, "한", Qt.KeyboardModifier.NoModifier, False, "한".encode()),
    ],
)
def test_keys_are_what_programs_expect(
    key: Qt.Key, text: str, held: Qt.KeyboardModifier, application: bool, data: bytes
) -> None:
    assert key_bytes(QKeyEvent(QEvent.Type.KeyPress, key, held, text), application=application) == data


def test_each_thing_is_told_once_and_old_failures_not_at_all() -> None:
    notices = Notices(Words("en"))
    seen = machine(asked=[FAILED], approvals=[APPROVAL], sessions=[replace(SESSION, status="needs_permission")])
    assert [one.title for one in notices.of(seen)] == ["BE wants to use Bash"], (
        "its request says all that its terminal does"
    )
    assert notices.of(seen) == []
    seen.take({"asked": [replace(FAILED, command_id="c2"), FAILED], "approvals": []})
    told = notices.of(seen)
    assert [(one.page, one.subject) for one in told] == [("sessions", "s"), ("hour", "c2")]
    seen.take({"questions": [LocalQuestion("q", "o", "s", "BE", "Which one?", [])]})
    assert [(one.page, one.subject, one.text) for one in notices.of(seen)] == [("waiting", "question q", "Which one?")]
    seen.take({"sessions": [], "questions": []})
    notices.of(seen)
    seen.take({"sessions": [replace(SESSION, status="waiting_input")]})
    assert [one.page for one in notices.of(seen)] == ["sessions"], "it asks again"


def test_how_a_machine_stands_is_never_better_than_it_is(tmp_path: Path) -> None:
    seen = machine(sessions=[SESSION])
    assert seen.standing == "live"
    seen.state = replace(STATE, paused_since="2026-11-21T12:04:31+00:00")
    assert seen.standing == "paused"
    seen.state = replace(seen.state, connection="offline")
    assert seen.standing == "offline", "a pause is no excuse"
    seen.state = replace(STATE, stuck=True)
    assert seen.standing == "stuck"
    seen.left("")
    assert (seen.standing, seen.sessions) == ("not_enrolled", [])
    joined = Machine(tmp_path, tmp_path / "policy.toml")
    (tmp_path / "credentials.json").write_text('{"offices": [{"office_id": "o", "name": "acme/web"}]}')
    joined.look_at_disk()
    assert (joined.standing, joined.offices) == ("not_running", [LocalOffice("o", "acme/web")])
    (tmp_path / "credentials.json").write_text('{"offices": [], "revoked_at": "2026-11-21T12:04:31Z"}')
    joined.look_at_disk()
    assert joined.standing == "revoked"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_it_starts_at_login_as_the_system_wants_it(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    command = [sys.executable, "-m", "desktop_client", "--client", "/my folder/100%", "/p"]
    autostart = Autostart(command, platform)
    assert not autostart.is_on
    autostart.set(True)
    assert autostart.is_on
    if platform == "darwin":
        assert plistlib.loads(autostart.path.read_bytes())["ProgramArguments"] == command
    else:
        text = autostart.path.read_text()
        assert '"/my folder/100%%" /p\n' in text
    autostart.set(False)
    assert not autostart.is_on


def test_a_terminal_is_scrolled_back_and_follows_again_at_its_end() -> None:
    application = QApplication.instance() or QApplication([])
    typed: list[bytes] = []
    view = TerminalView("Terminal", typed.append)
    view.resize(600, 300)
    view.begin((80, 24))
    view.show()

    def feed(first: int, last: int) -> None:
        view.feed("".join(f"line {number}\r\n" for number in range(first, last)).encode())
        application.processEvents()

    feed(0, 200)
    assert "line 199" in view.shown()
    QTest.keyClick(view, Qt.Key.Key_PageUp)
    application.processEvents()
    before = view.shown()
    assert "line 199" not in before
    feed(200, 210)
    assert view.shown() == before, "it stays where somebody reads"
    view.set_typing(True)
    QTest.keyClick(view, Qt.Key.Key_Home, Qt.KeyboardModifier.ShiftModifier)
    application.processEvents()
    assert (view.shown()[0], typed) == ("line 0", [])
    QTest.keyClick(view, Qt.Key.Key_A)
    application.processEvents()
    assert ("line 209" in view.shown(), typed) == (True, [b"a"])
    view.begin(None)
    view.close()
