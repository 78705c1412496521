"""What the names of keys stand for, as a terminal sends them."""

_NAMED = {
    "enter": b"\r", "escape": b"\x1b", "tab": b"\t", "shift-tab": b"\x1b[Z", "space": b" ", "backspace": b"\x7f",
    "delete": b"\x1b[3~", "insert": b"\x1b[2~", "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C",
    "left": b"\x1b[D", "home": b"\x1b[H", "end": b"\x1b[F", "page-up": b"\x1b[5~", "page-down": b"\x1b[6~",
    "f1": b"\x1bOP", "f2": b"\x1bOQ", "f3": b"\x1bOR", "f4": b"\x1bOS", "f5": b"\x1b[15~", "f6": b"\x1b[17~",
    "f7": b"\x1b[18~", "f8": b"\x1b[19~", "f9": b"\x1b[20~", "f10": b"\x1b[21~", "f11": b"\x1b[23~", "f12": b"\x1b[24~",
}  # fmt: skip


def key_bytes(name: str) -> bytes:
    """
    Raises:
        KeyError: no key has that name. The database lets none such in.
    """
    if name in _NAMED:
        return _NAMED[name]
    if len(name) == 1 and name.isascii() and name.isprintable():
        return name.encode()
    modifier, _, letter = name.partition("-")
    if len(letter) == 1 and "a" <= letter <= "z":
        if modifier == "ctrl":
            return bytes([ord(letter) & 0x1F])
        if modifier == "alt":
            return b"\x1b" + letter.encode()
    raise KeyError(name)
