"""What is looked for in an agent's output, as data: patterns.toml, extended by an office."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from shared.patterns import OfficePattern, safe_regex


class PatternKind(StrEnum):
    MARKER = "marker"
    PULL_REQUEST = "pull_request"
    COMMIT = "commit"
    ERROR = "error"


@dataclass(frozen=True)
class Hit:
    """A pattern found in text. `start` and `end` are places in that text."""

    pattern: "Pattern"
    value: str
    start: int
    end: int
    detail: Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """One thing to look for; see patterns.toml for what the fields mean."""

    name: str
    kind: PatternKind
    regex: re.Pattern[str]
    anchors: tuple[bytes, ...]
    """Visible characters that stand in this order in every match, gaps left out."""
    literal: str | None = None
    before: re.Pattern[bytes] | None = None
    needs: bytes = b""

    def hits(self, text: str) -> Iterable[Hit]:
        for found in self.regex.finditer(text):
            groups = {name: said for name, said in found.groupdict().items() if said is not None}
            value = self.literal or groups.pop("value", found[0]).strip()
            yield Hit(self, value, found.start(), found.end(), groups)

    @classmethod
    def built_in(cls, entry: Mapping[str, Any]) -> "Pattern":
        """One of patterns.toml."""
        literal, before = entry.get("literal"), entry.get("before")
        return cls(
            entry["name"],
            PatternKind(entry["kind"]),
            re.compile(_spread(literal) if literal is not None else entry["regex"]),
            _anchors([literal] if literal is not None else entry.get("anchors", [])),
            literal,
            re.compile(f"{before}$".encode()) if before is not None else None,
            entry.get("needs", "").encode(),
        )

    @classmethod
    def of(cls, one: OfficePattern) -> "Pattern":
        regex = _spread(one.literal) if one.literal is not None else str(one.regex)
        words = [one.literal] if one.literal is not None else one.anchors
        return cls(one.name, PatternKind(one.kind), safe_regex(regex), _anchors(words), one.literal)


@dataclass(frozen=True)
class PatternTable:
    """All that is looked for."""

    patterns: tuple[Pattern, ...]

    def of_kind(self, *kinds: PatternKind) -> tuple[Pattern, ...]:
        return tuple(pattern for pattern in self.patterns if pattern.kind in kinds)

    def without(self, kind: PatternKind) -> "PatternTable":
        return PatternTable(tuple(pattern for pattern in self.patterns if pattern.kind is not kind))

    def extended(self, patterns: Iterable[OfficePattern]) -> "PatternTable":
        """This table with an office's own patterns; one of the same name is replaced."""
        by_name = {pattern.name: pattern for pattern in self.patterns}
        by_name |= {one.name: Pattern.of(one) for one in patterns}
        return PatternTable(tuple(by_name.values()))


@cache
def built_in_patterns() -> PatternTable:
    text = Path(__file__).with_name("patterns.toml").read_text("utf-8")
    return PatternTable(tuple(Pattern.built_in(entry) for entry in tomllib.loads(text)["pattern"]))


def _spread(literal: str) -> str:
    """The literal with any gaps between its characters: a terminal breaks words where its lines end."""
    return r"\s*".join(re.escape(character) for character in literal if not character.isspace())


def _anchors(words: Iterable[str]) -> tuple[bytes, ...]:
    return tuple("".join(word.split()).encode() for word in words)
