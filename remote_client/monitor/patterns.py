"""What is looked for in an agent's output, as data: patterns.toml, extended by an office."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from shared.errors import InvalidPayload


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
    def parse(cls, entry: Mapping[str, Any]) -> "Pattern":
        """
        Raises:
            InvalidPayload: a field is missing, unknown or not what it should be.
        """
        unknown = set(entry) - {"name", "kind", "literal", "regex", "anchors", "before", "needs"}
        name = entry.get("name")
        if unknown or not isinstance(name, str) or not name:
            raise InvalidPayload(f"a pattern needs a name and has no {', '.join(sorted(unknown)) or 'name'}")
        literal, regex, anchors = entry.get("literal"), entry.get("regex"), entry.get("anchors", [])
        if (literal is None) == (regex is None) or not isinstance(literal or regex, str):
            raise InvalidPayload(f"pattern {name} needs either a literal or a regex")
        if regex is not None and not anchors and entry.get("kind") != PatternKind.ERROR:
            raise InvalidPayload(f"pattern {name} needs anchors: words of which one is in every match")
        try:
            kind = PatternKind(entry.get("kind"))
            compiled = re.compile(_spread(str(literal)) if literal is not None else str(regex))
            before = re.compile(f"{entry['before']}$".encode()) if "before" in entry else None
        except (ValueError, re.error) as error:
            raise InvalidPayload(f"pattern {name}: {error}") from error
        words = [literal] if literal is not None else anchors
        return cls(
            name,
            kind,
            compiled,
            tuple("".join(str(word).split()).encode() for word in words),
            literal,
            before,
            str(entry.get("needs", "")).encode(),
        )


@dataclass(frozen=True)
class PatternTable:
    """All that is looked for."""

    patterns: tuple[Pattern, ...]

    def of_kind(self, *kinds: PatternKind) -> tuple[Pattern, ...]:
        return tuple(pattern for pattern in self.patterns if pattern.kind in kinds)

    def without(self, kind: PatternKind) -> "PatternTable":
        return PatternTable(tuple(pattern for pattern in self.patterns if pattern.kind is not kind))

    def extended(self, entries: Iterable[Mapping[str, Any]]) -> "PatternTable":
        """This table with an office's own patterns; one of the same name is replaced.

        Raises:
            InvalidPayload: an entry is no pattern.
        """
        patterns = {pattern.name: pattern for pattern in self.patterns}
        patterns |= {pattern.name: pattern for pattern in map(Pattern.parse, entries)}
        return PatternTable(tuple(patterns.values()))


@cache
def built_in_patterns() -> PatternTable:
    text = Path(__file__).with_name("patterns.toml").read_text("utf-8")
    return PatternTable(()).extended(tomllib.loads(text)["pattern"])


def _spread(literal: str) -> str:
    """The literal with any gaps between its characters: a terminal breaks words where its lines end."""
    return r"\s*".join(re.escape(character) for character in literal if not character.isspace())
