"""The sessions of this machine, and the live terminal of the one that is chosen."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt
from PySide6.QtGui import QBrush, QIcon, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QSplitter, QTreeView, QVBoxLayout, QWidget

from desktop_client.asking import Asking
from desktop_client.bridge import Bridge
from desktop_client.look import RoomyRows, button, dot, label, status_color
from desktop_client.machines import Machine
from desktop_client.terminal import TerminalView
from desktop_client.wording import Words
from shared.errors import OfficeError
from shared.local import LocalSession

ID = Qt.ItemDataRole.UserRole


class SessionsPage(QWidget):
    """`tell`: shows what went wrong."""

    def __init__(self, words: Words, bridge: Bridge, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._words = words
        self._bridge = bridge
        self._tell = tell
        self._machine: Machine | None = None
        self._sessions: dict[str, LocalSession] = {}
        self._visit = 0
        self._is_there = False  # what the visit shows, and so its program, too
        self._shown: str | None = None
        self._model = QStandardItemModel(0, 3)
        self._model.setHorizontalHeaderLabels([words(f"sessions.{name}") for name in ("role", "status", "doing")])
        self.list = QTreeView()
        self.list.setModel(self._model)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setIconSize(QSize(12, 12))
        self.list.setItemDelegate(RoomyRows(self.list))
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setAccessibleName(words("page.sessions"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.list.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.list.selectionModel().currentChanged.connect(self._chosen)
        self._nothing = label(words("sessions.nothing"), quiet=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)

        self.terminal = TerminalView(words("sessions.terminal"), self._type)
        self.terminal.say(words("sessions.choose"))
        self._title = label("", large=True, wraps=False)
        self._where = label("", quiet=True)
        self._how = label("", quiet=True)
        self.typing = button(words("do.type"))
        self.typing.setCheckable(True)
        self.typing.toggled.connect(self._typing_changed)
        self.stop = button(words("do.stop_session"), danger=True)
        self.stop.clicked.connect(self._ask_to_stop)

        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self.typing)
        top.addWidget(self.stop)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self._where)
        column.addWidget(self.terminal, 1)
        column.addWidget(self._how)
        left = QWidget()
        names = QVBoxLayout(left)
        names.setContentsMargins(0, 0, 0, 0)
        names.addWidget(self._nothing)
        names.addWidget(self.list, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setSizes([340, 660])
        left.setMinimumWidth(200)
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter)
        bridge.screen.connect(self._screen_news)
        self._show_chosen()

    def show_state(self, machine: Machine | None, sessions: list[LocalSession]) -> None:
        """Brings the list up to date, line by line, so that the choice and the place in it stay."""
        if self._machine is not machine:
            self._leave()
        self._machine = machine
        self._sessions = {one.session_id: one for one in sessions}
        known = {self._id_at(row): row for row in range(self._model.rowCount())}
        for gone in sorted((row for name, row in known.items() if name not in self._sessions), reverse=True):
            self._model.removeRow(gone)
        known = {self._id_at(row): row for row in range(self._model.rowCount())}
        for one in sessions:
            if one.session_id not in known:
                cells = [QStandardItem() for _ in range(3)]
                cells[0].setData(one.session_id, ID)
                self._model.appendRow(cells)
                known[one.session_id] = self._model.rowCount() - 1
            self._fill(known[one.session_id], one)
        self._nothing.setVisible(not sessions)
        self.list.setVisible(bool(sessions))
        if self._shown is not None:
            one = self._sessions.get(self._shown)
            if one is not None:
                self.terminal.resize_screen(one.cols, one.rows)
        self._show_chosen()

    def recolor(self) -> None:
        """The system's colours are others by now."""
        for row in range(self._model.rowCount()):
            self._model.item(row, 0).setData("", ID + 1)

    def choose(self, session_id: str) -> None:
        for row in range(self._model.rowCount()):
            if self._id_at(row) == session_id:
                flags = QItemSelectionModel.SelectionFlag
                self.list.selectionModel().setCurrentIndex(self._model.index(row, 0), flags.ClearAndSelect | flags.Rows)
                self.list.setFocus()

    @property
    def chosen(self) -> LocalSession | None:
        index = self.list.currentIndex()
        return self._sessions.get(self._id_at(index.row())) if index.isValid() else None

    def _id_at(self, row: int) -> str:
        return str(self._model.item(row, 0).data(ID))

    def _fill(self, row: int, one: LocalSession) -> None:
        status = self._words.of("status", one.status)
        icon = f"{one.status}"
        texts = (f"{one.role} · {one.agent}", status, one.doing.split("\n")[0])
        for column, text in enumerate(texts):
            item = self._model.item(row, column)
            if item.text() != text:
                item.setText(text)
        first = self._model.item(row, 0)
        if first.data(ID + 1) != icon:
            first.setData(icon, ID + 1)
            first.setIcon(QIcon(dot(status_color(one.status))))
            self._model.item(row, 1).setForeground(QBrush(status_color(one.status)))
        first.setToolTip(f"{one.branch}\n{one.worktree}")
        first.setAccessibleText(f"{one.role}, {one.agent}, {status}, {one.doing}")
        self._model.item(row, 2).setToolTip(one.doing)

    # The terminal -----------------------------------------------------------------------------------------------------

    def _chosen(self, _now: QModelIndex, _before: QModelIndex) -> None:
        one = self.chosen
        if one is None or one.session_id == self._shown or self._machine is None:
            self._show_chosen()
            return
        self.typing.setChecked(False)
        self._shown, self._is_there = one.session_id, False
        self.terminal.begin((one.cols, one.rows))
        self._visit = self._bridge.visit(self._machine.key, one.session_id)
        self._show_chosen()

    def _leave(self) -> None:
        if self._visit:
            self._bridge.leave()
        self._visit, self._shown, self._is_there = 0, None, False
        self.terminal.begin(None)
        self.terminal.say(self._words("sessions.choose"))

    def hideEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        # Nobody looks: nothing is read or drawn.
        if self._visit:
            self._bridge.leave()
            self._visit = 0
        super().hideEvent(event)

    def showEvent(self, event: Any) -> None:  # noqa: N802
        super().showEvent(event)
        if self._visit == 0 and self._shown is not None and self._machine is not None:
            one = self._sessions.get(self._shown)
            if one is not None:
                self.terminal.begin((one.cols, one.rows))
                self._visit = self._bridge.visit(self._machine.key, one.session_id)

    def _screen_news(self, visit: int, size: tuple[int, int] | None, data: bytes | None) -> None:
        if visit != self._visit:
            return
        self._is_there = data is not None
        if data is None:
            self._visit = 0
            self.typing.setChecked(False)
            self._show_chosen()
            return
        if size is not None:
            self.terminal.begin(size)
            self._show_chosen()
        self.terminal.feed(data)

    def _show_chosen(self) -> None:
        one = self.chosen
        self.typing.setEnabled(one is not None and self._is_there)
        self.stop.setEnabled(one is not None)
        if one is None:
            if self._shown is not None and self._shown not in self._sessions:
                self._title.setText(self._words("sessions.ended"))
                self._how.setText("")
            return
        self._title.setText(f"{one.role} · {self._words.of('status', one.status)}")
        self._where.setText(f"{one.agent} · {one.branch} · {one.worktree}")
        self.terminal.setAccessibleName(self._words("sessions.terminal_of", role=one.role))
        self._say_how()

    def _say_how(self) -> None:
        typing = self.typing.isChecked()
        why = self.chosen.kept_here if self.chosen is not None else []
        if why and not typing:
            self._how.setText(why[0])
        else:
            self._how.setText(self._words("sessions.typing" if typing else "sessions.watching"))

    def _typing_changed(self, on: bool) -> None:
        self.terminal.set_typing(on)
        self._say_how()

    def _type(self, data: bytes) -> None:
        def then(taken: Any, error: OfficeError | None) -> None:
            if error is not None or not taken:
                self._how.setText(error.detail if error is not None else self._words("sessions.not_taken"))

        self._bridge.type(self._visit, data, then)

    def _ask_to_stop(self) -> None:
        one, machine = self.chosen, self._machine
        if one is None or machine is None:
            return

        def stop() -> None:
            self._bridge.ask(
                machine.key,
                "stop_session",
                lambda _, error: self._tell(error.detail) if error is not None else None,
                session_id=one.session_id,
            )

        words = self._words
        Asking(
            self, words, words("ask.stop_session", role=one.role), words("ask.stop_session_why"), [words("ask.stop")],
            stop,
        ).open()  # fmt: skip
