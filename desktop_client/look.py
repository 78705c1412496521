"""How the window looks: colours of states that can be read on light and dark, the icon, and small pieces of widgets."""

from datetime import datetime

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPen, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from desktop_client.machines import Standing

_GREEN, _BLUE, _AMBER, _RED, _GREY = ("#1e8e3e", "#1a73e8", "#b06000", "#d93025", "#6b7280")
_LIGHTER = {
    _GREEN: "#81c995", _BLUE: "#8ab4f8", _AMBER: "#fdd663", _RED: "#f28b82", _GREY: "#9aa0a6",
}  # fmt: skip
_OF_STANDING: dict[str, str] = {
    "live": _GREEN, "polling": _AMBER, "offline": _RED, "paused": _BLUE, "stuck": _RED, "not_running": _GREY,
    "not_enrolled": _GREY, "revoked": _RED,
}  # fmt: skip
_OF_STATUS = {
    "idle": _GREY, "creating": _GREY, "ready": _GREEN, "executing": _BLUE, "waiting_input": _AMBER,
    "needs_permission": _AMBER, "error": _RED, "terminated": _GREY, "running": _BLUE, "done": _GREEN,
    "failed": _RED, "given_back": _AMBER,
}  # fmt: skip


def is_dark() -> bool:
    palette = QApplication.palette()
    return (
        palette.color(QPalette.ColorRole.Window).lightness() < palette.color(QPalette.ColorRole.WindowText).lightness()
    )


def _shown(color: str) -> QColor:
    return QColor(_LIGHTER[color] if is_dark() else color)


def standing_color(standing: Standing) -> QColor:
    return _shown(_OF_STANDING[standing])


def status_color(status: str) -> QColor:
    return _shown(_OF_STATUS.get(status, _GREY))


def dot(color: QColor, size: int = 12) -> QPixmap:
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(color)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(QRectF(size * 0.2, size * 0.2, size * 0.6, size * 0.6))
    painter.end()
    return pixmap


def app_icon(standing: Standing, waiting: int) -> QIcon:
    """A terminal, with the state's colour at its foot, and with what waits for the person at its head."""
    icon = QIcon()
    for size in (22, 32, 64, 128):
        icon.addPixmap(_drawn(size, QColor(_OF_STANDING[standing]), waiting))
    return icon


def _drawn(size: int, color: QColor, waiting: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    unit = size / 32
    painter.setPen(QPen(QColor("#9aa0a6"), unit * 1.5))
    painter.setBrush(QColor("#14161a"))
    painter.drawRoundedRect(QRectF(2 * unit, 4 * unit, 28 * unit, 24 * unit), 5 * unit, 5 * unit)
    painter.setPen(QPen(QColor("#e8eaed"), unit * 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawPolyline([_at(8, 11, unit), _at(13, 16, unit), _at(8, 21, unit)])
    painter.setPen(QPen(QColor("#14161a"), unit * 1.5))
    painter.setBrush(color)
    painter.drawEllipse(QRectF(17 * unit, 17 * unit, 13 * unit, 13 * unit))
    if waiting:
        painter.setBrush(QColor("#f29900"))
        painter.drawEllipse(QRectF(16 * unit, 1 * unit, 15 * unit, 15 * unit))
        font = QFont()
        font.setPixelSize(max(6, int(11 * unit)))
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor("#14161a"))
        painter.drawText(
            QRectF(16 * unit, 1 * unit, 15 * unit, 15 * unit),
            Qt.AlignmentFlag.AlignCenter,
            str(waiting) if waiting < 10 else "+",
        )
    painter.end()
    return pixmap


def _at(x: float, y: float, unit: float) -> QPointF:
    return QPointF(x * unit, y * unit)


def label(text: str = "", *, quiet: bool = False, large: bool = False, wraps: bool = True) -> QLabel:
    """Text that can be selected and read aloud, never markup."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wraps)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if quiet:
        made.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    if large:
        font = made.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        font.setBold(True)
        made.setFont(font)
    return made


class _DangerButton(QPushButton):
    """In red, by its palette: what has a style sheet does not follow when the system's colours change."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._redden()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  Qt's name
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._redden()

    def _redden(self) -> None:
        palette, red = self.palette(), _shown(_RED)
        if palette.color(QPalette.ColorGroup.Active, QPalette.ColorRole.ButtonText) != red:
            for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
                palette.setColor(group, QPalette.ColorRole.ButtonText, red)
            self.setPalette(palette)


class RoomyRows(QStyledItemDelegate):
    """Lines with some air between them."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: N802
        wanted = super().sizeHint(option, index)
        return QSize(wanted.width() + 8, wanted.height() + 10)


def button(text: str, name: str = "", *, danger: bool = False) -> QPushButton:
    made = _DangerButton(text) if danger else QPushButton(text)
    made.setAccessibleName(name or text.replace("&", ""))
    made.setAutoDefault(False)
    return made


class Card(QFrame):
    """A box around things that belong together."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.box = QVBoxLayout(self)
        self.box.setContentsMargins(16, 14, 16, 14)
        self.box.setSpacing(8)


def clock(moment: str | None) -> str:
    """The local time of day of an ISO moment; with the day, when that is another one."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment).astimezone()
    today = datetime.now().astimezone().date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"
