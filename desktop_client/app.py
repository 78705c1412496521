"""Puts the window, the tray icon and the sockets together, and keeps them together until the person leaves."""

import fcntl
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from desktop_client.autostart import Autostart
from desktop_client.bridge import Bridge
from desktop_client.look import clock
from desktop_client.machines import ORDER, Machine, Standing
from desktop_client.notices import Notice, Notices
from desktop_client.tray import Tray
from desktop_client.window import Window
from desktop_client.wording import Words

DRAW_MS = 60
"""How long news are gathered before they are shown."""


class Desktop(QObject):
    """One for each person's session. `quit_when_closed`: where there is no tray, the window is all there is."""

    def __init__(self, words: Words, machines: Sequence[Machine], autostart: Autostart) -> None:
        super().__init__()
        self._words = words
        self._machines = {machine.key: machine for machine in machines}
        for machine in machines:
            machine.look_at_disk()
        self.bridge = Bridge([machine.state_folder for machine in machines])
        self.window = Window(words, self.bridge, machines, autostart, self._may_hide)
        self._notices = Notices(words)
        self.tray = Tray(
            words, self.window.bring_up, self.go_to, self.window.change_pause, self._stop_all, self.leave
        )  # fmt: skip
        self._drawing = QTimer(self, singleShot=True, interval=DRAW_MS)
        self._drawing.timeout.connect(self.show_state)
        self.bridge.news.connect(self._news)
        self.bridge.stands.connect(self._stands)
        self._closed = False
        self._start_wanted = False
        self.show_state()

    def start_clients(self) -> None:
        """Starts the client whose office is shown, unless it turns out to run."""
        self._start_wanted = True

    def _news(self, key: str, parts: dict[str, Any]) -> None:
        self._machines[key].take(parts)
        self._drawing.start()

    def _stands(self, key: str, running: bool, problem: str) -> None:
        machine = self._machines[key]
        if running:
            machine.running, machine.problem = True, ""
        else:
            machine.left(problem)
            if self._start_wanted and machine is self.window.machine and machine.enrolled:
                self._start_wanted = False
                self.window.machine_page.start_client()
        self._drawing.start()

    def show_state(self) -> None:
        self.window.refresh()
        machines = self._machines.values()
        shown = self.window.machine
        relevant = [one for one in machines if one.running or one.enrolled] or list(machines)
        worst = min(relevant, key=lambda one: ORDER.index(one.standing), default=None)
        standing: Standing = worst.standing if worst is not None else "not_enrolled"
        since = clock(worst.state.connection_since) if worst is not None and worst.running and worst.state else ""
        self.tray.show_state(
            standing,
            self._words(f"standing.{standing}", since=since),
            sum(one.waiting for one in machines),
            paused=shown is not None and shown.state is not None and shown.state.paused_since is not None,
            running=shown is not None and shown.running,
        )
        for machine in machines:
            for notice in self._notices.of(machine):
                self.tray.notify(notice)
                if not self.tray.icon.isVisible():  # nobody else would say it
                    self.window.tell(notice.title)
                    QApplication.alert(self.window)

    def go_to(self, notice: Notice) -> None:
        self.window.go_to(notice.machine, notice.page, notice.subject)

    def _stop_all(self) -> None:
        self.window.bring_up()
        self.window.ask_to_stop_all()

    def _may_hide(self) -> bool:
        hides = not self._closed and QSystemTrayIcon.isSystemTrayAvailable()
        if not hides:
            QApplication.quit()
        return hides

    def leave(self) -> None:
        """Ends the window, not the client."""
        self._closed = True
        self.window.close()
        QApplication.quit()

    def close(self) -> None:
        self.tray.icon.hide()
        self.bridge.close()


class Once:
    """Sees to it that one window runs for one client's folder: another start brings it up instead."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = (folder / "desktop.lock").open("a+")

    def is_first(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._file.truncate(0)
        return True

    def can_be_called(self) -> None:
        """From here on this process hears when it is called."""
        self._file.write(str(os.getpid()))
        self._file.flush()

    def call_the_first(self) -> None:
        """Has its window come up. One that is just starting shows it without being called."""
        self._file.seek(0)
        if process := self._file.read():
            os.kill(int(process), signal.SIGUSR1)


def listen_to_signals(desktop: Desktop) -> tuple[QSocketNotifier, socket.socket, socket.socket]:
    """SIGUSR1 brings the window up; SIGTERM and SIGINT end it. What is returned has to be kept."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno())
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _noted)
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)

    def told() -> None:
        for number in reading.recv(64):
            if number == signal.SIGUSR1:
                desktop.window.bring_up()
            else:
                desktop.leave()

    notifier.activated.connect(told)
    return notifier, reading, writing


def _noted(_number: int, _frame: Any) -> None:
    """Python writes the number to the wakeup descriptor; that is all that is wanted."""
