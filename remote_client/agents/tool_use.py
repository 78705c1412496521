"""Which tool an agent uses, for people who watch: its name and the gist of what it does. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

GIST_CHARACTERS = 200
_TELLING = ("command", "file_path", "path", "pattern", "query", "url", "description", "prompt")
"""Of what a tool is given, what says most: the first that is there."""


@dataclass(frozen=True)
class ToolUse:
    """`what`: in one line. `over`: it is not used any more; `failed`: it said that it did not work, or was refused."""

    tool: str
    what: str
    at: datetime
    over: bool = False
    failed: bool = False


def gist(given: Any) -> str:
    """One line that says what a tool is to do, of whatever it is given."""
    if not isinstance(given, Mapping):
        return ""
    texts = {name: text for name, text in cast(Mapping[str, Any], given).items() if isinstance(text, str)}
    best = next((texts[name] for name in _TELLING if name in texts), next(iter(texts.values()), ""))
    return best.strip().split("\n", 1)[0][:GIST_CHARACTERS]
