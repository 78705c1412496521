"""The window before a real client's socket: it shows what is so, recovers when the client comes back, and acts."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import pytest_asyncio
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from desktop_client.app import Desktop
from desktop_client.autostart import Autostart
from desktop_client.machines import Machine as Shown
from desktop_client.notices import Notice
from desktop_client.wording import Words
from tests.integration.remote_client.office import Machine, Office

SECONDS = 30
Makes = Callable[..., Awaitable[Machine]]


class Seat:
    """Somebody in front of the window."""

    def __init__(self, machine: Machine, language: str = "en") -> None:
        settings = machine.settings()
        command = ["semo", "desktop"]
        self.shown = Shown(settings.state, settings.policy)
        self.desktop = Desktop(Words(language), [self.shown], Autostart(command))
        self.notices: list[Notice] = []
        self.desktop.tray.notify = self._note  # what the system would show
        self.window = self.desktop.window
        self.window.show()

    def _note(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Lets the window live until it is so."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"still not so; the window says:\n{self.texts()}"
            QApplication.processEvents()
            await asyncio.sleep(0.01)
        QApplication.processEvents()

    def texts(self) -> str:
        found = self.window.findChildren(QLabel)
        return "\n".join(one.text() for one in found if one.isVisible())

    def button(self, name: str) -> QPushButton:
        """The one that can be seen and is called so."""
        found = [
            one
            for one in self.window.findChildren(QPushButton)
            if one.isVisible() and one.text().replace("&", "") == name
        ]
        assert len(found) == 1, f"{len(found)} buttons {name}"
        return found[0]

    def page(self, name: str) -> None:
        self.window.names.setCurrentRow(("waiting", "sessions", "hour", "policy", "machine").index(name))
        QApplication.processEvents()

    async def until_live(self) -> None:
        await self.until(lambda: self.window.standing.text() == "Live")


@pytest.fixture(scope="module")
def application() -> QApplication:
    found = QApplication.instance() or QApplication([])
    assert isinstance(found, QApplication)
    found.setStyle("Fusion")
    found.setQuitOnLastWindowClosed(False)
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def seat(application: QApplication, machine: Makes) -> AsyncIterator[Callable[[Machine], Seat]]:
    made: list[Seat] = []

    def take(machine: Machine) -> Seat:
        made.append(Seat(machine))
        return made[-1]

    yield take
    for one in made:
        one.desktop.close()
        one.window.deleteLater()
    QApplication.processEvents()


async def test_the_window_shows_what_runs_here_and_types_only_when_asked_to(
    office: Office, machine: Makes, seat: Callable[[Machine], Seat]
) -> None:
    laptop = await (await machine()).start()
    at = seat(laptop)
    await at.until_live()
    assert at.window.office.currentText() == f"{office.name} · laptop"
    session = await office.session("BE", task="login")
    at.page("sessions")
    await at.until(lambda: at.window.sessions.list.model().rowCount() == 1)
    at.window.show_terminal(str(session))
    await at.until(at.window.sessions.typing.isEnabled)
    assert "agent/BE-login" in at.texts()

    terminal = at.window.sessions.terminal
    QTest.keyClicks(terminal, "echo nobody")
    at.button("Type into it").click()
    QTest.keyClicks(terminal, "echo typed-$((20 + 2))\r")
    await at.until(lambda: "typed-22" in terminal.text())
    assert "nobody" not in terminal.text(), "what is typed before goes nowhere"
    touched = "select kind from session_events where session_id = %s and kind = 'taken_over'"
    await office.until_true(touched, session)
    at.button("Type into it").click()

    failing = await office.ask("send_prompt", {"text": "exit 3"}, session_id=session)
    assert (await office.until(failing)).status == "failed"
    await at.until(lambda: any(one.page == "hour" for one in at.notices))
    at.desktop.go_to(at.notices[-1])
    QApplication.processEvents()
    assert "exit 3" in at.window.hour.whole.toPlainText()
    at.page("policy")
    assert "default_agent" in at.window.policy.text.toPlainText()


async def test_a_client_that_goes_away_and_comes_back_is_shown_as_what_it_is(
    office: Office, machine: Makes, seat: Callable[[Machine], Seat]
) -> None:
    laptop = await machine()
    at = seat(laptop)
    await at.until(lambda: at.window.standing.text() == "Not running")
    assert not at.window.pause.isEnabled()
    await laptop.start()
    await at.until_live()
    at.window.pause.click()
    await at.until(lambda: at.window.standing.text() == "Paused")
    await office.until_true("select 1 from remote_clients where id = %s and paused_since is not null", laptop.client_id)
    await laptop.told_to_stop()
    await at.until(lambda: at.window.standing.text() == "Not running")
    await laptop.start()
    await at.until(lambda: at.window.standing.text() == "Paused")
    at.window.pause.click()
    await at.until_live()

    await office.session("BE")
    await at.until(lambda: len(at.shown.sessions) == 1)
    at.window.ask_to_stop_all()
    asking = at.window.asking
    assert asking.title.text() == "Stop all 1 sessions on this machine?"
    asking.go.click()
    QApplication.processEvents()
    assert at.shown.sessions, "it is asked a second time"
    assert asking.go.text() == "Once more: stop all 1 now"
    await office.session("QA")
    await at.until(lambda: asking.go.text() == "Once more: stop all 2 now")
    assert asking.title.text() == "Stop all 2 sessions on this machine?"
    asking.go.click()
    await at.until(lambda: not at.shown.sessions and at.window.standing.text() == "Paused")

    at.page("machine")
    at.button("Stop the client").click()
    await laptop.ended()
    await at.until(lambda: at.window.standing.text() == "Not running")


async def test_everything_in_the_window_can_be_reached_by_keys_and_has_a_name(
    machine: Makes, seat: Callable[[Machine], Seat]
) -> None:
    at = seat(await (await machine()).start())
    await at.until_live()
    for name in ("sessions", "hour", "policy", "machine", "waiting"):
        at.page(name)
        for widget in at.window.findChildren(QWidget):
            if widget.isVisible() and widget.focusPolicy().value & 1 and not isinstance(widget, QLabel):
                named = widget.accessibleName() or getattr(widget, "text", str)()
                inner = widget.objectName().startswith("qt_")
                assert named or inner, f"{name}: {type(widget).__name__} has no name"
