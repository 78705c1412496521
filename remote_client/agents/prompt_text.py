"""Makes a text one that an agent takes as a prompt, whatever it begins or ends with."""

import unicodedata

from remote_client.agents.pasting import pasteable

_TAKES_ENTER = frozenset("@:\\")


def as_prompt(text: str) -> str:
    """The text, quoted where it would not be a prompt.

    What begins with "!" is run as a command, with nobody asked; "/" begins a command of Claude Code itself. Both do so
    behind spaces and characters that nobody sees.
    """
    text = pasteable(text).replace("\x1b", "")
    first = next((letter for letter in text if unicodedata.category(letter)[0] not in "CZ"), "")
    if first in ("!", "/"):
        text = f"> {text}"
    # At the end, a name after "@" opens a list of files and one after ":" a list of signs, which take the Enter; a "\"
    # makes a new line of it.
    return f"{text} " if _TAKES_ENTER & set(text[-200:].rpartition(" ")[2]) else text
