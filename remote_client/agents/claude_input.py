"""Keys that put a prompt into Claude Code's input as its user's own words, and whether it took these; sends nothing.

A paste of more than a few lines or about 800 characters goes to the model between tags, with the advice to doubt that
the user wrote it. In a low terminal any paste of two lines does. What stays below that stands there as if typed.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from remote_client.agents.adapter import Evidence
from remote_client.agents.pasting import paste
from remote_client.terminals import HookEvent

PIECE_CHARACTERS = 700
LINES_AT_MOST = 400
"""Each costs it a few milliseconds, and the more stand there, the longer. A longer text is a paste."""
HEARD_CHARACTERS = 500
NEW_LINE = b"\n"
_PICTURES = re.compile(r"(?<=\.)(?=(?:png|jpe?g|gif|webp|bmp|heic|svg|tiff?)\b)", re.IGNORECASE)
"""Where the name of a picture is cut: one that is pasted whole is read from the disk and sent instead of its name."""
_TAGS = re.compile(r'</?pasted_content id="[0-9a-f]{4}">')


def as_own_words(text: str) -> bytes:
    lines = text.split("\n")
    if len(lines) <= LINES_AT_MOST:
        return _one_by_one(lines)
    return NEW_LINE.join(_one_by_one(run) if names else _pasted(run) for names, run in groupby(lines, _names_a_picture))


def _names_a_picture(line: str) -> bool:
    return _PICTURES.search(line) is not None


def _pasted(lines: Iterable[str]) -> bytes:
    text = "\n".join(lines)
    return paste(text) if text.strip() else _one_by_one(text.split("\n"))


def _one_by_one(lines: Iterable[str]) -> bytes:
    return NEW_LINE.join(_line(line) for line in lines)


def _line(line: str) -> bytes:
    line = line.replace("\t", "    ")  # as it does itself, after which a piece would be longer
    return b"".join(
        paste(part[at : at + PIECE_CHARACTERS])
        for part in _PICTURES.split(line)
        for at in range(0, len(part), PIECE_CHARACTERS)
    )


def other_words(typed: str, taken: HookEvent) -> Evidence | None:
    """Evidence that the agent took something else for its prompt than `typed`: somebody's keys came between.

    `taken`: its UserPromptSubmit. It changes spaces and leaves out what nobody sees.
    """
    heard = taken.body.get("prompt")
    if not isinstance(heard, str) or taken.truncated or _solid(heard) == _solid(typed):
        return None
    if _visible(heard) == _visible(typed):  # slow, for a long text
        return None
    return {"kind": "other_words", "heard": heard[:HEARD_CHARACTERS], "offset": taken.at}


def _solid(text: str) -> str:
    return "".join(_TAGS.sub("", text).split())


def _visible(text: str) -> str:
    text = unicodedata.normalize("NFC", _solid(text))
    return "".join(letter for letter in text if unicodedata.category(letter)[0] in "LNPS")
