"""The questions that Claude Code asks before it takes a first prompt, as a person would see them.

They are recognised to tell people what to do. One alone is ever answered: whether a folder is trusted, when the
machine's policy says so, and only as far as the screen shows what is chosen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from remote_client.agents.pasting import ENTER

DOWN = b"\x1b[B"
UP = b"\x1b[A"
_CURSOR = "❯"
_TRUSTED = re.compile(r"yes,? (?:i trust|proceed)", re.IGNORECASE)
_OPTION = re.compile(rf"^\W*(?:{_CURSOR}\s*)?(?:\d\.\s*)?(?:yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dialog:
    """`words`: all of them stand on its screen, without spaces and in lower case."""

    name: str
    words: tuple[str, ...]
    advice: str


TRUST = Dialog(
    "whether this folder is trusted",
    ("trust", "folder", "entertoconfirm"),
    "start `claude` once in the repository that the worktrees belong to and answer it, or set trust_worktrees = true"
    " for this agent in the machine's policy",
)
DIALOGS = (
    TRUST,
    Dialog(
        "whether to use the API key of its environment",
        ("apikey", "doyouwanttousethis"),
        "start `claude` once by hand with the same key and answer it",
    ),
    Dialog("to be signed in", ("selectloginmethod",), "sign in once by hand: claude"),
    Dialog("to be set up", ("choosethetextstyle",), "start `claude` once by hand and finish its set-up"),
    Dialog(
        "about bypassing permissions",
        ("bypasspermissionsmode", "accept"),
        "start `claude --permission-mode bypassPermissions` once by hand and answer it",
    ),
)


def dialog_on(screen: Sequence[str]) -> Dialog | None:
    shown = "".join("".join(screen).split()).lower()
    return next((dialog for dialog in DIALOGS if all(word in shown for word in dialog.words)), None)


def options_on(screen: Sequence[str]) -> tuple[str, ...]:
    """What may be chosen, with the mark of what is chosen now."""
    return tuple(line for line in screen if _OPTION.match(line))


def step_to_trust(screen: Sequence[str]) -> bytes | None:
    """The next key on the way to "yes": an arrow, or Enter once it is chosen. None: the screen is not understood."""
    options = options_on(screen)
    chosen = [number for number, line in enumerate(options) if _CURSOR in line]
    wanted = [number for number, line in enumerate(options) if _TRUSTED.search(line)]
    if len(chosen) != 1 or len(wanted) != 1:
        return None
    if chosen == wanted:
        return ENTER
    return DOWN if wanted > chosen else UP
