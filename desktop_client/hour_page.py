"""What the office asked of this machine in the last hour, and what came of it."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QPlainTextEdit, QTableView, QVBoxLayout, QWidget

from desktop_client.look import RoomyRows, clock, label, status_color
from desktop_client.wording import Words
from shared.local import Asked

COLUMNS = ("at", "asked", "text", "came_to", "by")
Index = QModelIndex | QPersistentModelIndex


class _Model(QAbstractTableModel):
    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words
        self.entries: list[Asked] = []

    def show(self, entries: list[Asked]) -> None:
        """The newest first: what is new is put in at the top, so that the choice stays where it is."""
        if entries == self.entries:
            return
        old = [(one.command_id, one.attempt) for one in self.entries]
        new = [(one.command_id, one.attempt) for one in entries]
        added = len(new) - len(old)
        if added > 0 and new[added:] == old:
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self.entries = entries
            self.endInsertRows()
        elif new != old:
            self.beginResetModel()
            self.entries = entries
            self.endResetModel()
        self.entries = entries
        if entries:
            self.dataChanged.emit(self.index(0, 0), self.index(len(entries) - 1, len(COLUMNS) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008  Qt's names
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._words(f"hour.{COLUMNS[section]}")
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        one = self.entries[index.row()]
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return {
                "at": clock(one.at),
                "asked": self._words.of("kind", one.kind),
                "text": one.text.replace("\n", " ⏎ ")[:160],
                "came_to": self._words.of("outcome", one.status),
                "by": one.author,
            }[column]
        if role == Qt.ItemDataRole.ForegroundRole and column == "came_to":
            return status_color(one.status)
        if role == Qt.ItemDataRole.ToolTipRole and one.error:
            return one.error
        return None


class HourPage(QWidget):
    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words
        self._model = _Model(words)
        self.table = QTableView()
        self.table.setModel(self._model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.setItemDelegate(RoomyRows(self.table))
        self.table.setAccessibleName(words("page.hour"))
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        for column in (0, 1, 3, 4):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self._nothing = label(words("hour.nothing"), quiet=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.whole = QPlainTextEdit()
        self.whole.setReadOnly(True)
        self.whole.setTabChangesFocus(True)
        self.whole.setMaximumHeight(140)
        self.whole.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.whole.setAccessibleName(words("hour.text"))
        self.whole.hide()
        self.table.selectionModel().currentChanged.connect(self._chosen)
        layout = QVBoxLayout(self)
        layout.addWidget(self._nothing)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.whole)

    def show_state(self, asked: list[Asked]) -> None:
        self._model.show(asked)
        self._nothing.setVisible(not asked)
        self.table.setVisible(bool(asked))
        self.whole.setVisible(bool(asked) and self.table.currentIndex().isValid())

    def choose(self, command_id: str) -> None:
        for row, one in enumerate(self._model.entries):
            if one.command_id == command_id:
                self.table.selectRow(row)
                self.table.setFocus()
                return

    def _chosen(self, now: QModelIndex, _before: QModelIndex) -> None:
        if not now.isValid():
            return
        one = self._model.entries[now.row()]
        error = f"\n\n✘ {one.error_code}: {one.error}" if one.error else ""
        self.whole.setPlainText(f"{one.text}{error}")
        self.whole.show()
