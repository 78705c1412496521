"""Runs the real window on a real display and drives it by lines of JSON on stdin; answers each with what is seen.

`python -m tests.support.window_driver STATE POLICY [LANGUAGE]`. Answers: `{"texts", "notices", "standing", "terminal",
"exact"}`, or `{"problem"}` when there is no such button or field.
"""

import json
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QSocketNotifier, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QWidget

from desktop_client.app import Desktop
from desktop_client.autostart import Autostart, at_login
from desktop_client.machines import Machine
from desktop_client.notices import Notice
from desktop_client.window import PAGES
from desktop_client.wording import Words


class Driver:
    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop
        self._window = desktop.window
        self._notices: list[Notice] = []
        desktop.tray.notify = self._note
        self._reading = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
        self._reading.activated.connect(self._read)

    def _note(self, notice: Notice) -> None:
        self._notices.append(notice)

    def _read(self) -> None:
        line = sys.stdin.readline()
        if not line:
            self._desktop.leave()
            return
        try:
            self._do(**json.loads(line))
            answer = self._seen()
        except LookupError as error:
            answer = {"problem": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def _do(self, do: str, what: str = "", text: str = "") -> None:
        if do == "click":
            button = self._one(QPushButton, what)
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        elif do == "check":
            QTest.keyClick(self._one(QCheckBox, what), Qt.Key.Key_Space)
        elif do == "fill":
            field = self._one(QLineEdit, what)
            field.clear()
            QTest.keyClicks(field, text)
        elif do == "page":
            place = PAGES.index(what)
            item = self._window.names.visualItemRect(self._window.names.item(place))
            QTest.mouseClick(
                self._window.names.viewport(), Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier, item.center() or QPoint(),
            )  # fmt: skip
        elif do == "terminal":
            self._window.show_terminal(what)
        elif do == "notice":
            self._desktop.go_to(self._notices[-1])
        elif do == "scheme":
            QApplication.setPalette(_dark() if what == "dark" else QApplication.style().standardPalette())
        elif do == "size":
            width, height = map(int, what.split("x"))
            self._window.resize(width, height)
        elif do == "shoot":
            QApplication.processEvents()
            top = QApplication.activeModalWidget() or self._window
            top.grab().save(what)

    def _one(self, kind: type[QWidget], name: str) -> Any:
        top = QApplication.activeModalWidget() or self._window
        found: list[Any] = [
            one
            for one in top.findChildren(kind)
            if one.isVisible() and one.isEnabled() and name in (one.accessibleName(), _plain(one))
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {kind.__name__} {name!r} can be seen and used")
        return found[0]

    def _seen(self) -> dict[str, Any]:
        labels = [one for top in QApplication.topLevelWidgets() for one in top.findChildren(QLabel)]
        exact = [one for one in self._window.waiting.findChildren(QPlainTextEdit) if one.isVisible()]
        return {
            "texts": [one.text() for one in labels if one.isVisible() and one.text()],
            "standing": self._window.standing.text(),
            "notices": [notice.title for notice in self._notices],
            "terminal": self._window.sessions.terminal.text(),
            "policy": self._window.policy.text.toPlainText(),
            "exact": [one.toPlainText() for one in exact],
            "said": self._window.statusBar().currentMessage(),
            "page": PAGES[self._window.pages.currentIndex()],
        }


def _dark() -> QPalette:
    """As a system's dark palette is; a bare X server has none."""
    palette = QPalette(QColor("#202226"), QColor("#202226"))
    roles = QPalette.ColorRole
    for role, color in ((roles.Base, "#181a1d"), (roles.Highlight, "#2f65ca"), (roles.PlaceholderText, "#9aa0a6")):
        palette.setColor(role, QColor(color))
    return palette


def _plain(widget: Any) -> str:
    return str(widget.text()).replace("&", "")


def main() -> None:
    state, policy, *language = sys.argv[1:]
    application = QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)
    machines = [Machine(Path(state), Path(policy))]
    desktop = Desktop(Words((language or ["en"])[0]), machines, Autostart(at_login([(state, policy)])))
    desktop.window.show()
    driver = Driver(desktop)
    application.exec()
    desktop.close()
    del driver


if __name__ == "__main__":
    main()
