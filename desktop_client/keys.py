"""What a key press is to a program in a terminal."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

_ARROWS = {
    Qt.Key.Key_Up: "A", Qt.Key.Key_Down: "B", Qt.Key.Key_Right: "C", Qt.Key.Key_Left: "D",
    Qt.Key.Key_Home: "H", Qt.Key.Key_End: "F",
}  # fmt: skip
_NUMBERED = {
    Qt.Key.Key_Insert: 2, Qt.Key.Key_Delete: 3, Qt.Key.Key_PageUp: 5, Qt.Key.Key_PageDown: 6,
    Qt.Key.Key_F5: 15, Qt.Key.Key_F6: 17, Qt.Key.Key_F7: 18, Qt.Key.Key_F8: 19, Qt.Key.Key_F9: 20,
    Qt.Key.Key_F10: 21, Qt.Key.Key_F11: 23, Qt.Key.Key_F12: 24,
}  # fmt: skip
_PLAIN = {
    Qt.Key.Key_Return: b"\r", Qt.Key.Key_Enter: b"\r", Qt.Key.Key_Escape: b"\x1b", Qt.Key.Key_Backspace: b"\x7f",
    Qt.Key.Key_Tab: b"\t", Qt.Key.Key_Backtab: b"\x1b[Z",
    Qt.Key.Key_F1: b"\x1bOP", Qt.Key.Key_F2: b"\x1bOQ", Qt.Key.Key_F3: b"\x1bOR", Qt.Key.Key_F4: b"\x1bOS",
}  # fmt: skip


def key_bytes(event: QKeyEvent, *, application: bool) -> bytes:
    """Empty when it is none. `application`: the program has asked for the cursor keys' other form."""
    key, modifiers = Qt.Key(event.key()), event.modifiers()
    control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
    alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
    held = 1 + bool(modifiers & Qt.KeyboardModifier.ShiftModifier) + 2 * alt + 4 * control
    if key in _ARROWS:
        letter = _ARROWS[key]
        if held > 1:
            return f"\x1b[1;{held}{letter}".encode()
        return f"\x1b{'O' if application else '['}{letter}".encode()
    if key in _NUMBERED:
        return f"\x1b[{_NUMBERED[key]}{f';{held}' if held > 1 else ''}~".encode()
    data = _PLAIN.get(key)
    if data is None:
        if control and Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
            data = bytes([key - Qt.Key.Key_A + 1])
        elif control and key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_Backslash, Qt.Key.Key_BracketRight):
            data = bytes([key - 64])
        elif control and key == Qt.Key.Key_Space:
            data = b"\0"
        else:
            data = event.text().encode()
    return b"\x1b" + data if alt and data else data
