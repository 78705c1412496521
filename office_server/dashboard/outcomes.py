"""How a turn ended and how that is known, and what else happened in a session, for people."""

from collections.abc import Mapping
from typing import Any, cast

from office_server.dashboard.bits import plain
from office_server.dashboard.words import Words
from shared.states import TurnOutcome

_MARKS = {"good": "✓", "bad": "✗", "ask": "?"}


def tone_of(outcome: TurnOutcome) -> str:
    if outcome is TurnOutcome.DONE:
        return "good"
    return "bad" if outcome in (TurnOutcome.ERROR, TurnOutcome.LOST) else "ask"


def in_words(outcome: TurnOutcome, evidence: list[Any], words: Words) -> str:
    """The outcome with what it rests on."""
    known = ", ".join(words.of("evidence", name) for name in names_of(evidence)[:3])
    said = f"{_MARKS[tone_of(outcome)]} {words.of('outcome', outcome)}"
    return f"{said} · {known}" if known else said


def happened(words: Words, kind: str, detail: Mapping[str, Any]) -> str:
    """An event of a session, with what it was about where one looks for that: tools, commits, requests for leave."""
    about = " ".join(str(detail[name]) for name in ("tool", "what", "subject") if detail.get(name))
    return f"{words.of('event', kind)} {plain(about)}".strip()


def is_telling(kind: str, detail: Mapping[str, Any]) -> bool:
    """Whether it is worth a line. That a tool is used no longer goes without saying, unless it failed."""
    return kind != "tool.ended" or bool(detail.get("failed"))


def names_of(evidence: list[Any]) -> list[str]:
    """The kinds of evidence, each once, in their order."""
    names = [str(cast("dict[str, Any]", one).get("kind", "")) for one in evidence if isinstance(one, dict)]
    return list(dict.fromkeys(name for name in names if name))
