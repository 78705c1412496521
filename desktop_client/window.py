"""The window: which office is looked at, how the machine stands, and the pages. It shows what clients say, no more."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from desktop_client.asking import Asking
from desktop_client.autostart import Autostart
from desktop_client.bridge import Bridge
from desktop_client.hour_page import HourPage
from desktop_client.look import app_icon, button, clock, dot, label, standing_color
from desktop_client.machine_page import MachinePage
from desktop_client.machines import Machine
from desktop_client.policy_page import PolicyPage
from desktop_client.sessions_page import SessionsPage
from desktop_client.waiting_page import WaitingPage
from desktop_client.wording import Words
from shared.errors import OfficeError

PAGES = ("waiting", "sessions", "hour", "policy", "machine")
TOLD_MS = 12_000


class Window(QMainWindow):
    """`on_close`: whether the window may be hidden, because something else keeps the program."""

    refreshed = Signal()

    def __init__(
        self,
        words: Words,
        bridge: Bridge,
        machines: Sequence[Machine],
        autostart: Autostart,
        on_close: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._words = words
        self._bridge = bridge
        self._machines = {machine.key: machine for machine in machines}
        self._on_close = on_close
        self.setWindowTitle(words("window.title"))
        self.setMinimumSize(640, 420)
        self.resize(1160, 720)
        self._build_header()
        self.waiting = WaitingPage(words, bridge, self.show_terminal, self.tell)
        self.sessions = SessionsPage(words, bridge, self.tell)
        self.hour = HourPage(words)
        self.policy = PolicyPage(words)
        self.machine_page = MachinePage(words, bridge, autostart, self.tell)
        self.pages = QStackedWidget()
        self.names = QListWidget()
        self.names.setAccessibleName(words("window.title"))
        self.names.setFixedWidth(170)
        self.names.setSpacing(2)
        self.names.setFrameShape(QListWidget.Shape.NoFrame)
        self.names.viewport().setAutoFillBackground(False)
        pages = (self.waiting, self.sessions, self.hour, self.policy, self.machine_page)
        for place, (name, page) in enumerate(zip(PAGES, pages, strict=True)):
            item = QListWidgetItem(words(f"page.{name}"))
            item.setSizeHint(QSize(150, 34))
            self.names.addItem(item)
            self.pages.addWidget(page)
            key = QShortcut(QKeySequence(f"Ctrl+{place + 1}"), self)
            key.activated.connect(lambda place=place: self.names.setCurrentRow(place))
        self.names.currentRowChanged.connect(self.pages.setCurrentIndex)
        self._told = label("")
        self._told.setContentsMargins(12, 4, 12, 8)
        body = QHBoxLayout()
        body.addWidget(self.names)
        body.addWidget(self.pages, 1)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(8, 8, 8, 0)
        column.addWidget(self._header)
        column.addLayout(body, 1)
        self.setCentralWidget(whole)
        self.statusBar().setSizeGripEnabled(False)
        for keys, does in (
            ("Ctrl+P", self.change_pause),
            ("Ctrl+Shift+S", self.ask_to_stop_all),
            ("Ctrl+W", self.close),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(does)
        self.names.setCurrentRow(0)
        self.refresh()

    def _build_header(self) -> None:
        words = self._words
        self._header = QWidget()
        self.office = QComboBox()
        self.office.setAccessibleName(words("window.office"))
        self.office.setMinimumWidth(220)
        self.office.currentIndexChanged.connect(self._show_all)
        self._dot = QLabel()
        self.standing = label("", wraps=False)
        font = self.standing.font()
        font.setBold(True)
        self.standing.setFont(font)
        self.places = label("", quiet=True, wraps=False)
        self.pause = button(words("do.pause"))
        self.pause.clicked.connect(self.change_pause)
        self.stop_all = button(words("do.stop_all"), danger=True)
        self.stop_all.clicked.connect(self.ask_to_stop_all)
        row = QHBoxLayout(self._header)
        row.setContentsMargins(4, 4, 4, 4)
        row.setSpacing(10)
        for widget in (self.office, self._dot, self.standing, self.places):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.pause)
        row.addWidget(self.stop_all)

    # What is looked at ------------------------------------------------------------------------------------------------

    @property
    def machine(self) -> Machine | None:
        """The client whose office is chosen."""
        chosen: Any = self.office.currentData()
        return self._machines.get(chosen[0]) if chosen else next(iter(self._machines.values()), None)

    @property
    def office_id(self) -> str | None:
        """None: all offices of that client."""
        chosen: Any = self.office.currentData()
        return chosen[1] if chosen else None

    def _offer_offices(self) -> None:
        wanted: list[tuple[str, tuple[str, str | None]]] = []
        for machine in self._machines.values():
            name = machine.state.name if machine.state is not None and machine.state.name else machine.state_folder.name
            offices = machine.offices
            if len(offices) > 1:
                wanted.append((self._words("window.all_offices", machine=name), (machine.key, None)))
            for office in offices:
                text = self._words("window.office_of", office=office.name, machine=name)
                wanted.append((text, (machine.key, office.office_id)))
            if not offices and (len(self._machines) == 1 or machine.running):
                wanted.append((self._words("window.no_office"), (machine.key, None)))
        have = [(self.office.itemText(place), self.office.itemData(place)) for place in range(self.office.count())]
        if [(text, tuple(data)) for text, data in have] == wanted:
            return
        chosen: Any = self.office.currentData()
        self.office.blockSignals(True)
        self.office.clear()
        for text, data in wanted:
            self.office.addItem(text, data)
        known = [data for _, data in wanted]
        self.office.setCurrentIndex(known.index(tuple(chosen)) if chosen and tuple(chosen) in known else 0)
        self.office.blockSignals(False)

    def refresh(self) -> None:
        """Some client has told something."""
        self._offer_offices()
        self._show_all()
        self.refreshed.emit()

    def _show_all(self, _chosen: int = 0) -> None:
        machine, office = self.machine, self.office_id
        self._show_header(machine)
        if machine is None:
            return

        def here(things: list[Any]) -> list[Any]:
            return [one for one in things if office in (None, one.office_id)]

        self.waiting.show_state(
            machine, here(machine.approvals), here(machine.questions), here(list(machine.in_terminal()))
        )
        self.sessions.show_state(machine, here(machine.sessions))
        self.hour.show_state(here(machine.asked))
        self.policy.show_state(machine)
        self.machine_page.show_state(machine)
        waiting = len(self.waiting.cards)
        title = self._words("page.waiting")
        self.names.item(0).setText(f"{title} ({waiting})" if waiting else title)
        count = self.sessions.list.model().rowCount()
        title = self._words("page.sessions")
        self.names.item(1).setText(f"{title} ({count})" if count else title)

    def _show_header(self, machine: Machine | None) -> None:
        standing = machine.standing if machine is not None else "not_enrolled"
        state = machine.state if machine is not None and machine.running else None
        since = clock(state.connection_since) if state is not None else ""
        self._dot.setPixmap(dot(standing_color(standing), 16))
        self.standing.setText(self._words(f"standing.{standing}", since=since))
        self.standing.setToolTip(self._words(f"standing_why.{standing}"))
        self.places.setText(
            self._words("window.places", taken=state.places_taken, all=state.places) if state is not None else ""
        )
        paused = state is not None and state.paused_since is not None
        self.pause.setText(self._words("do.resume" if paused else "do.pause"))
        self.pause.setAccessibleName(self.pause.text().replace("&", ""))
        self.pause.setEnabled(state is not None)
        self.stop_all.setEnabled(state is not None)
        waiting = machine.waiting if machine is not None else 0
        self.setWindowIcon(app_icon(standing, waiting))

    # What is done -----------------------------------------------------------------------------------------------------

    def change_pause(self) -> None:
        machine = self.machine
        if machine is None or not machine.running or machine.state is None:
            return
        self._bridge.ask(machine.key, "pause", self._complain, paused=machine.state.paused_since is None)

    def ask_to_stop_all(self) -> None:
        """Asks twice: the button has to be pressed once more, and says then that it is meant."""
        machine = self.machine
        if machine is None or not machine.running:
            return
        words = self._words

        def asked() -> tuple[str, list[str]]:
            count = len(machine.sessions)
            return words("ask.stop_all", count=count), [
                words("ask.stop_all_first"), words("ask.stop_all_again", count=count)
            ]  # fmt: skip

        def stop() -> None:
            self._bridge.ask(machine.key, "stop_all", self._complain)

        title, steps = asked()
        asking = self.asking = Asking(self, words, title, words("ask.stop_all_why"), steps, stop)
        reword = self.refreshed.connect(lambda: asking.reword(*asked()))
        asking.finished.connect(lambda: self.refreshed.disconnect(reword))
        asking.open()

    def _complain(self, _: Any, error: OfficeError | None) -> None:
        if error is not None:
            self.tell(f"{error.detail} ({error.advice})" if error.advice else error.detail)

    def tell(self, text: str) -> None:
        self.statusBar().showMessage(text, TOLD_MS)

    # Where to look ----------------------------------------------------------------------------------------------------

    def go_to(self, machine: str, page: str, subject: str) -> None:
        """Opens a place: that of something that a notification told."""
        for place in range(self.office.count()):
            if self.office.itemData(place)[0] == machine and self.machine is not self._machines.get(machine):
                self.office.setCurrentIndex(place)
        self.bring_up()
        self.names.setCurrentRow(PAGES.index(page))
        if page == "waiting":
            self.waiting.focus(subject)
        elif page == "sessions":
            self.sessions.choose(subject)
        elif page == "hour":
            self.hour.choose(subject)

    def show_terminal(self, session_id: str) -> None:
        self.names.setCurrentRow(PAGES.index("sessions"))
        self.sessions.choose(session_id)

    def bring_up(self) -> None:
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802  Qt's name
        if self._on_close():
            event.ignore()
            self.hide()
        else:
            event.accept()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            QTimer.singleShot(0, self._recolor)

    def _recolor(self) -> None:
        self.sessions.recolor()
        self.refresh()

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_F5:
            self.refresh()
            return
        super().keyPressEvent(event)
