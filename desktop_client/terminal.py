"""The widget that shows a session's screen and what has left it, and types into it when the person asked for that."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRect, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)  # fmt: skip
from PySide6.QtWidgets import QAbstractScrollArea

from desktop_client.keys import key_bytes
from desktop_client.screen import Color, Ink, Run, Screen

BACK, FRONT, CURSOR = QColor("#14161a"), QColor("#d7dae0"), QColor("#8ab4f8")
PALETTE = (
    "#2b2f36", "#f28b82", "#81c995", "#fdd663", "#8ab4f8", "#c58af9", "#78d9ec", "#d7dae0",
    "#7d8590", "#ff9c94", "#a8dab5", "#fde293", "#aecbfa", "#d7aefb", "#a1e4f2", "#ffffff",
)  # fmt: skip
MARGIN = 8
LARGEST_PT, SMALLEST_PT = 11.0, 6.0
_ENDS: dict[int, int] = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: 1}
_PAGES: dict[int, int] = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}


class TerminalView(QAbstractScrollArea):
    """Dark in any palette, as programs expect. The font is as large as lets the whole width be seen.

    It follows what is written, unless somebody has scrolled back: then it stays there until they are at the end again.
    """

    def __init__(self, name: str, type_bytes: Callable[[bytes], None]) -> None:
        super().__init__()
        self._type_bytes = type_bytes
        self._screen: Screen | None = None
        self._rows: list[list[Run]] = []
        self._first = self._above = 0
        self._note = ""
        self._typing = False
        self._font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self._fonts: dict[tuple[bool, bool, bool], QFont] = {}
        self._cell = 8.0, 16.0
        self._ascent = 12.0
        self._drawing = QTimer(self, singleShot=True, interval=0)
        self._drawing.timeout.connect(self._draw)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(3)
        self.verticalScrollBar().setAccessibleName(name)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled)
        self.setMinimumSize(240, 120)
        self.setAccessibleName(name)

    # What is shown ----------------------------------------------------------------------------------------------------

    def begin(self, size: tuple[int, int] | None) -> None:
        """An empty screen; None: there is nothing to show."""
        if self._screen is not None:
            self._screen.close()
        cols, rows = size or (0, 0)
        self._screen = Screen(cols or 120, rows or 40) if size is not None else None
        self._rows = []
        self.verticalScrollBar().setRange(0, 0)
        self._fit()
        self.viewport().update()

    def feed(self, data: bytes) -> None:
        if self._screen is not None:
            self._screen.feed(data)
            self._drawing.start()

    def resize_screen(self, cols: int, rows: int) -> None:
        if self._screen is not None and cols and rows and self._screen.size != (cols, rows):
            self._screen.resize(cols, rows)
            self._fit()
            self._drawing.start()

    def say(self, note: str) -> None:
        """A word in the middle, while there is no screen."""
        self._note = note
        self.viewport().update()

    def text(self) -> str:
        return self._screen.text() if self._screen is not None else ""

    def set_typing(self, typing: bool) -> None:
        """Whether keys go to the program."""
        self._typing = typing
        if typing:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.viewport().update()

    def shown(self) -> list[str]:
        """The lines that are in sight."""
        return ["".join(run.text for run in row) for row in self._rows]

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        screen = self._screen
        if screen is None or not self.isVisible():
            return
        above, rows = screen.above, screen.rows()
        # Of a terminal that is higher than the widget, the end of what is written there is followed.
        written = max((place for place, row in enumerate(rows) if row), default=-1) + 1
        if screen.cursor is not None:
            written = max(written, screen.cursor[1] + 1)
        fit = max(1, int((self.viewport().height() - 2 * MARGIN) / self._cell[1]))
        bar = self.verticalScrollBar()
        follows = bar.value() >= bar.maximum()
        bar.setRange(0, max(0, above + written - fit))
        bar.setPageStep(fit)
        if follows:
            bar.setValue(bar.maximum())
        self._first, self._above = bar.value(), above
        count = min(fit, above + len(rows) - self._first)
        self._rows = screen.lines(self._first, count) if self._first < above else rows[self._first - above :][:count]
        self.viewport().update()

    def _scrolled(self, _place: int) -> None:
        self._drawing.start()

    def _fit(self) -> None:
        cols, _ = self._screen.size if self._screen is not None else (120, 40)
        font = QFont(self._font)
        size = LARGEST_PT
        while True:
            font.setPointSizeF(size)
            metrics = QFontMetricsF(font)
            width, height = metrics.horizontalAdvance("0"), metrics.height()
            fits = width * cols <= self.viewport().width() - 2 * MARGIN
            if fits or size <= SMALLEST_PT:
                break
            size -= 0.5
        self._cell, self._ascent = (width, height), metrics.ascent()
        self._fonts = {}
        for bold in (False, True):
            for italic in (False, True):
                for underline in (False, True):
                    styled = QFont(font)
                    styled.setBold(bold)
                    styled.setItalic(italic)
                    styled.setUnderline(underline)
                    self._fonts[bold, italic, underline] = styled

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  Qt's name
        self._fit()
        self._drawing.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        self._drawing.start()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self.viewport())
        whole = self.viewport().rect()
        painter.fillRect(whole, BACK)
        if self._screen is None:
            painter.setPen(QColor("#9aa0a6"))
            painter.drawText(
                whole.adjusted(24, 24, -24, -24),
                Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
                self._note,
            )
            return
        width, height = self._cell
        for place, row in enumerate(self._rows):
            top = MARGIN + place * height
            for run in row:
                self._paint(painter, run, MARGIN + run.column * width, top)
        cursor = self._screen.cursor
        if cursor is not None:
            column, row_number = cursor
            box = QRect(
                round(MARGIN + column * width),
                round(MARGIN + (self._above + row_number - self._first) * height),
                round(width),
                round(height),
            )
            if self._typing and self.hasFocus():
                painter.fillRect(box, QColor(138, 180, 248, 170))
            else:
                painter.setPen(CURSOR)
                painter.drawRect(box)
        if self._typing and self.hasFocus():
            painter.setPen(CURSOR)
            painter.drawRect(whole.adjusted(0, 0, -1, -1))

    def _paint(self, painter: QPainter, run: Run, left: float, top: float) -> None:
        width, height = self._cell
        front, back = _colors(run.ink)
        if back is not None:
            painter.fillRect(
                QRect(round(left), round(top), round(left + run.cells * width) - round(left), round(height + 1)), back
            )
        painter.setPen(front)
        painter.setFont(self._fonts[run.ink.bold, run.ink.italic, run.ink.underline])
        baseline = round(top + self._ascent)
        if run.text.isascii():
            painter.drawText(round(left), baseline, run.text)
            return
        column = 0
        for char in run.text:  # of letters that the font takes from elsewhere, each stands in its own cell
            painter.drawText(round(left + column * width), baseline, char)
            column += 2 if run.cells > len(run.text) and ord(char) > 0x1100 else 1

    # Typing -----------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        # Tab goes to the program, and not to the next widget, while the person types into it.
        if isinstance(event, QKeyEvent) and self._typing and event.type() is QEvent.Type.KeyPress:  # noqa: SIM102
            if event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
                self.keyPressEvent(event)
                return True
        if self._typing and event.type() is QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if not self._typing or self._screen is None:
            self._scroll(event)
            return
        if event.modifiers() == Qt.KeyboardModifier.ShiftModifier and event.key() in _ENDS | _PAGES:
            self._scroll(event)  # as in other terminals
            return
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        if event.matches(QKeySequence.StandardKey.Paste) or (
            event.key() == Qt.Key.Key_V
            and event.modifiers() == Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        ):
            self._paste()
            return
        data = key_bytes(event, application=self._screen.wants_application_keys)
        if data:
            self._type_bytes(data)

    def _scroll(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        if event.key() in _ENDS:
            bar.setValue(_ENDS[event.key()] * bar.maximum())
        elif event.key() in _PAGES:
            bar.setValue(bar.value() + _PAGES[event.key()] * bar.pageStep())
        else:
            super().keyPressEvent(event)  # its arrows

    def _paste(self) -> None:
        text = QGuiApplication.clipboard().text().replace("\r\n", "\r").replace("\n", "\r")
        data = text.replace("\x1b", "").encode()
        if data and self._screen is not None:
            self._type_bytes(b"\x1b[200~" + data + b"\x1b[201~" if self._screen.wants_bracketed_paste else data)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        self.viewport().update()


def _colors(ink: Ink) -> tuple[QColor, QColor | None]:
    front, back = _color(ink.front), _color(ink.back)
    if ink.inverse:
        front, back = back or BACK, front or FRONT
    shown = QColor(front or FRONT)
    if ink.faint:
        shown.setAlpha(150)
    return shown, back


def _color(color: Color) -> QColor | None:
    if color is None:
        return None
    if isinstance(color, tuple):
        return QColor(*color)
    if color < 16:
        return QColor(PALETTE[color])
    if color >= 232:
        grey = 8 + (color - 232) * 10
        return QColor(grey, grey, grey)
    steps = (0, 95, 135, 175, 215, 255)
    place = color - 16
    return QColor(steps[place // 36 % 6], steps[place // 6 % 6], steps[place % 6])
