"""The icon in the tray: the true state at a glance, what can be done without the window, and notifications."""

from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from desktop_client.look import app_icon
from desktop_client.machines import Standing
from desktop_client.notices import Notice
from desktop_client.wording import Words

NOTICE_MS = 15_000


class Tray:
    """`go_to`: opens the place that a notification leads to."""

    def __init__(
        self,
        words: Words,
        open_window: Callable[[], None],
        go_to: Callable[[Notice], None],
        pause: Callable[[], None],
        stop_all: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        self._words = words
        self._go_to = go_to
        self._last: Notice | None = None
        self._drawn: tuple[Standing, int] | None = None
        self.icon = QSystemTrayIcon()
        self.menu = QMenu()
        self.state = self.menu.addAction("")
        self.state.setEnabled(False)
        self.menu.addSeparator()
        self._add("do.open", open_window)
        self.pause = self._add("do.pause", pause)
        self.stop_all = self._add("do.stop_all", stop_all)
        self.menu.addSeparator()
        self._add("do.quit", leave)
        self.icon.setContextMenu(self.menu)
        self._open_window = open_window
        self.icon.activated.connect(self._activated)
        self.icon.messageClicked.connect(self.clicked)

    def _add(self, key: str, does: Callable[[], None]) -> QAction:
        action = self.menu.addAction(self._words(key))
        action.triggered.connect(lambda: does())
        return action

    def show_state(self, standing: Standing, text: str, waiting: int, *, paused: bool, running: bool) -> None:
        if self._drawn != (standing, waiting):
            self._drawn = standing, waiting
            self.icon.setIcon(app_icon(standing, waiting))
        whole = f"{text} · {self._words('told.waiting', count=waiting)}" if waiting else text
        self.state.setText(whole)
        self.icon.setToolTip(f"{self._words('window.title')}: {whole}")
        self.pause.setText(self._words("do.resume" if paused else "do.pause"))
        self.pause.setEnabled(running)
        self.stop_all.setEnabled(running)
        if not self.icon.isVisible() and QSystemTrayIcon.isSystemTrayAvailable():
            self.icon.show()

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self._open_window()

    def notify(self, notice: Notice) -> None:
        self._last = notice
        self.icon.showMessage(notice.title, notice.text, QSystemTrayIcon.MessageIcon.Information, NOTICE_MS)

    def clicked(self) -> None:
        """A notification was; the systems tell no more than that it was the latest."""
        if self._last is not None:
            self._go_to(self._last)
