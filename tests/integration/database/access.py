"""Reads access.toml: who is expected to be able to do what. Asks no database."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

FILE = Path(__file__).with_name("access.toml")
CALLERS = (
    "anon", "stranger", "viewer", "operator", "admin", "own client", "another client", "revoked client",
    "client elsewhere", "admin elsewhere", "service",
)  # fmt: skip
GROUPS = {
    "members": ("viewer", "operator", "admin"),
    "operators": ("operator", "admin"),
    "clients": ("own client", "another client"),
    "elsewhere": ("client elsewhere", "admin elsewhere"),
    "signed in": CALLERS[1:-1],
}
VERBS = ("select", "insert", "update", "delete")
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Thing:
    """A table, a function or a topic. `may`: by verb, who may; a verb that is not there, nobody may."""

    name: str
    may: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    new: Mapping[str, str] | None = None
    of: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    def who(self, verb: str) -> frozenset[str]:
        return self.may.get(verb, NOBODY)


@dataclass(frozen=True)
class Expected:
    tables: dict[str, Thing]
    functions: dict[str, Thing]
    topics: dict[str, Thing]
    helpers: frozenset[str]

    def signed_in_may(self, kind: dict[str, Thing], verb: str) -> set[str]:
        """The names of those that some signed-in caller may use so."""
        return {name for name, thing in kind.items() if thing.who(verb) & set(GROUPS["signed in"])}


def expected() -> Expected:
    said: dict[str, Any] = tomllib.loads(FILE.read_text())

    def things(kind: str) -> dict[str, Thing]:
        entries = cast("dict[str, dict[str, Any]]", said[kind])
        return {name: _thing(name, entry) for name, entry in entries.items()}

    helpers = frozenset(cast("list[str]", said["helpers"]["callable"]))
    return Expected(things("tables"), things("functions"), things("topics"), helpers)


def _thing(name: str, entry: dict[str, Any]) -> Thing:
    may = {verb: _callers(name, who) for verb, who in entry.items() if verb in (*VERBS, "call", "listen", "send")}
    unknown = entry.keys() - may.keys() - {"new", "of", "with"}
    assert not unknown, f"{FILE.name}: {name}: unknown {sorted(unknown)}"
    return Thing(name, may, entry.get("new"), entry.get("of"), entry.get("with", {}))


def _callers(name: str, said: list[str]) -> frozenset[str]:
    found = {caller for word in said for caller in GROUPS.get(word, (word,))}
    assert found <= set(CALLERS), f"{FILE.name}: {name}: no such caller: {sorted(found - set(CALLERS))}"
    return frozenset(found)
