"""How a turn ended and how that is known, for people."""

from typing import Any, cast

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


def names_of(evidence: list[Any]) -> list[str]:
    """The kinds of evidence, each once, in their order."""
    names = [str(cast("dict[str, Any]", one).get("kind", "")) for one in evidence if isinstance(one, dict)]
    return list(dict.fromkeys(name for name in names if name))
