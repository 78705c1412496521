"""Text as keys of one bracketed paste, with nothing in it that a terminal or the paste itself would act upon."""

import re

CLEAR_LINE = b"\x15"
CLEAR_TO_END = b"\x0b"
CTRL_C = b"\x03"
ENTER = b"\r"
ESCAPE = b"\x1b"
_BEGINS = "\x1b[200~"
_ENDS = "\x1b[201~"
_UNTYPEABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")


def paste(text: str) -> bytes:
    """Keys that put `text` into a program's input at once."""
    return f"{_BEGINS}{pasteable(text)}{_ENDS}".encode(errors="replace")


def pasteable(text: str) -> str:
    """The text without an end of paste, and without the control characters that the terminal acts upon."""
    text = _UNTYPEABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    while _ENDS in text:
        text = text.replace(_ENDS, "")
    return text
