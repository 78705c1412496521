"""Makes a text one that an agent takes as a prompt, whatever it begins or ends with."""

import unicodedata

from remote_client.agents.pasting import pasteable


def as_prompt(text: str) -> str:
    """The text, quoted where it would not be a prompt.

    What begins with "!" is run as a command, with nobody asked; "/" begins a command of Claude Code itself. Both do so
    behind spaces and characters that nobody sees.
    """
    text = pasteable(text).replace("\x1b", "")
    first = next((letter for letter in text if unicodedata.category(letter)[0] not in "CZ"), "")
    if first in ("!", "/"):
        text = f"> {text}"
    # A name after "@" at the end opens a list of files, which takes the Enter.
    return f"{text} " if "@" in text[-200:].rpartition(" ")[2] else text
