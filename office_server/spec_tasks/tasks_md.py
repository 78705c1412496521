"""Reads tasks.md, and ticks its boxes without touching anything else in it. Knows no database and no git.

    - [ ] 1. Accounts
      - [ ] 1.1 The table of accounts (role: BE)
        Whatever stands here, further in than its item, is what the agent is told of it.
      - [ ] 1.2 The form to sign in (role: FE; depends on 1.1)
    - [ ] 2. Try it all (role: QA; depends on 1)

An item with items below it is a group: it is done when they are, and to depend on it is to depend on all of them.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from shared.errors import InvalidPayload

ITEMS_MAX = 200
TITLE_MAX = 300
BODY_MAX = 16_384
_TAB = 4

_BOX = re.compile(r"^(?P<indent>[ \t]*)[-*+][ \t]+\[(?P<box>[^\]]{0,3})\](?P<rest>[ \t].*|)$")
_KEY = re.compile(r"^(?P<key>\d{1,4}(?:\.\d{1,4}){0,4})\.?(?:[ \t]+(?P<title>.*))?$")
_NOTES = re.compile(r"^(?P<title>.*?)[ \t]*\((?P<notes>[^()]*)\)$")
_NOTE = re.compile(r"^(?P<name>role|depends on)\b[ \t]*:?[ \t]*(?P<value>.*)$", re.IGNORECASE)
_ROLE = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")
_FENCE = re.compile(r"^[ \t]*(```|~~~)")


class TasksUnreadable(InvalidPayload):
    """`line` counts from 1."""

    code = "tasks_unreadable"
    title = "tasks.md cannot be read."

    def __init__(self, line: int = 1, problem: str | None = None) -> None:
        super().__init__(
            f"tasks.md, line {line}: {problem or self.title}", advice="docs/spec-tasks.md shows the format", line=line
        )
        self.line = line


@dataclass(frozen=True)
class Item:
    """One line with a box, and what stands below it. `line` counts from 1."""

    key: str
    title: str
    done: bool = False
    role: str | None = None
    depends_on: tuple[str, ...] = ()
    body: str = ""
    line: int = 0

    @property
    def parent(self) -> str | None:
        return self.key.rpartition(".")[0] or None


@dataclass(frozen=True)
class Unit:
    """An item that is worked on. `depends_on`: the units that come before it; `groups`: the items around it."""

    item: Item
    role: str | None
    depends_on: tuple[str, ...]
    groups: tuple[Item, ...]


def parse(text: str) -> list[Item]:
    """
    Raises:
        TasksUnreadable: names the first line that is wrong.
    """
    items = [_item(found) for found in _boxes(text)]
    if not items:
        raise TasksUnreadable(1, "there is no item; one looks like: - [ ] 1.1 What is to be done (role: BE)")
    if len(items) > ITEMS_MAX:
        raise TasksUnreadable(items[ITEMS_MAX].line, f"there are {len(items)} items; at most {ITEMS_MAX} are taken")
    known: dict[str, Item] = {}
    for item in items:
        if item.key in known:
            raise TasksUnreadable(item.line, f"{item.key} is there already, in line {known[item.key].line}")
        known[item.key] = item
    for item in items:
        for other in item.depends_on:
            if other not in known:
                raise TasksUnreadable(item.line, f"{item.key} depends on {other}, and there is no such item")
    units_of(items)
    return items


def units_of(items: list[Item]) -> list[Unit]:
    """What is to be worked on, in the order of the document.

    Raises:
        TasksUnreadable: items depend on each other in a circle, which is named.
    """
    known = {item.key: item for item in items}
    groups = {item.parent for item in items}
    leaves = [item for item in items if item.key not in groups]

    def below(key: str) -> list[str]:
        return [leaf.key for leaf in leaves if leaf.key == key or leaf.key.startswith(f"{key}.")]

    units: list[Unit] = []
    for leaf in leaves:
        around = [known[key] for key in _ancestors(leaf.key) if key in known]
        wanted = [other for one in (leaf, *around) for other in one.depends_on]
        before = dict.fromkeys(key for other in wanted for key in below(other))
        role = leaf.role or next((one.role for one in around if one.role), None)
        units.append(Unit(leaf, role, tuple(before), tuple(reversed(around))))
    _refuse_circles(units)
    return units


def ticked(text: str, done: Collection[str]) -> str:
    """The same text with the boxes of `done` ticked, and those of groups whose items all are; no box is unticked."""
    items = [_item(found) for found in _boxes(text)]
    groups = {item.parent for item in items}
    finished = {item.key for item in items if item.key not in groups and (item.done or item.key in done)}
    for item in reversed(items):
        below = [one.key for one in items if one.key not in groups and one.key.startswith(f"{item.key}.")]
        if below and set(below) <= finished:
            finished.add(item.key)
    lines = text.splitlines(keepends=True)
    for item in items:
        if item.key in finished and not item.done:
            lines[item.line - 1] = lines[item.line - 1].replace("[ ]", "[x]", 1)
    return "".join(lines)


def render(items: Iterable[Item]) -> str:
    """The items as tasks.md has them."""
    lines = ["# Tasks", ""]
    for item in items:
        indent = "  " * item.key.count(".")
        notes = [f"role: {item.role}"] if item.role else []
        notes += [f"depends on {', '.join(item.depends_on)}"] if item.depends_on else []
        told = f" ({'; '.join(notes)})" if notes else ""
        dot = "" if "." in item.key else "."
        lines.append(f"{indent}- [{'x' if item.done else ' '}] {item.key}{dot} {item.title}{told}")
        lines += [f"{indent}  {line}".rstrip() for line in item.body.splitlines()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Box:
    line: int
    indent: int
    box: str
    rest: str
    body: list[str]
    enclosing: "_Box | None"

    @property
    def key(self) -> str | None:
        found = _KEY.match(self.rest)
        return found["key"] if found else None


def _boxes(text: str) -> Iterator[_Box]:
    """Every line with a box outside of code, with the lines below it that are further in."""
    found: list[_Box] = []
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        match = None if fence or mark else _BOX.match(line)
        if match:
            indent = _width(match["indent"])
            enclosing = next((one for one in reversed(found) if one.indent < indent), None)
            found.append(_Box(number, indent, match["box"], match["rest"].strip(), [], enclosing))
        elif found and (not line.strip() or _width(_indent_of(line)) > found[-1].indent):
            found[-1].body.append(line)
        elif found and line.strip():
            found[-1].body.append("\0")  # whatever is further in after this belongs to no item
    yield from found


def _item(box: _Box) -> Item:
    if box.box not in (" ", "x", "X"):
        raise TasksUnreadable(box.line, f"the box [{box.box}] is none; write [ ] or [x]")
    found = _KEY.match(box.rest)
    if not found:
        raise TasksUnreadable(box.line, "an item begins with its id, such as 1.2")
    key, title = found["key"], (found["title"] or "").strip()
    title, role, depends_on = _notes(title, box.line)
    if not title:
        raise TasksUnreadable(box.line, f"{key} does not say what is to be done")
    if len(title) > TITLE_MAX:
        raise TasksUnreadable(box.line, f"{key} is {len(title)} characters long; at most {TITLE_MAX} are taken")
    above = box.enclosing.key if box.enclosing is not None else None
    parent = key.rpartition(".")[0] or None
    if above is not None and parent != above:
        raise TasksUnreadable(box.line, f"{key} stands below {above}; write {above}.1, or move it out")
    if "\0" in box.body:
        box.body[box.body.index("\0") :] = []
    body = _dedented(box.body)
    if len(body.encode()) > BODY_MAX:
        raise TasksUnreadable(box.line, f"what stands below {key} is longer than {BODY_MAX} bytes")
    return Item(key, title, box.box != " ", role, depends_on, body, box.line)


def _notes(title: str, line: int) -> tuple[str, str | None, tuple[str, ...]]:
    """The title without its notes, the role and the ids that it depends on."""
    found = _NOTES.match(title)
    parts = [part.strip() for part in found["notes"].split(";")] if found else []
    notes = [_NOTE.match(part) for part in parts]
    if not found or not any(notes):
        return title, None, ()
    role: str | None = None
    depends_on: tuple[str, ...] = ()
    for part, note in zip(parts, notes, strict=True):
        if note is None:
            raise TasksUnreadable(line, f'"{part}" is neither "role: …" nor "depends on …"')
        if note["name"].lower() == "role":
            if not _ROLE.match(note["value"]):
                raise TasksUnreadable(line, f'"{note["value"]}" is no role')
            role = note["value"]
        else:
            keys = [key.strip().rstrip(".") for key in re.split(r",|\band\b", note["value"]) if key.strip()]
            wrong = next((key for key in keys if not re.fullmatch(r"\d{1,4}(\.\d{1,4}){0,4}", key)), None)
            if wrong is not None or not keys:
                raise TasksUnreadable(line, f'"{wrong or part}" names no item; write: depends on 1.1, 1.2')
            depends_on = tuple(dict.fromkeys(keys))
    return found["title"], role, depends_on


def _refuse_circles(units: list[Unit]) -> None:
    by_key = {unit.item.key: unit for unit in units}
    safe: set[str] = set()
    for unit in units:
        way: list[str] = []
        if (circle := _circle_from(unit.item.key, by_key, way, safe)) is not None:
            named = " → ".join([*circle, circle[0]])
            raise TasksUnreadable(by_key[circle[0]].item.line, f"these wait for each other: {named}")


def _circle_from(key: str, by_key: dict[str, Unit], way: list[str], safe: set[str]) -> list[str] | None:
    if key in way:
        return way[way.index(key) :]
    if key in safe:
        return None
    way.append(key)
    for other in by_key[key].depends_on:
        if (circle := _circle_from(other, by_key, way, safe)) is not None:
            return circle
    way.pop()
    safe.add(key)
    return None


def _ancestors(key: str) -> list[str]:
    """The nearest first."""
    parts = key.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _width(indent: str) -> int:
    return sum(_TAB if character == "\t" else 1 for character in indent)


def _dedented(lines: list[str]) -> str:
    expanded = [line.expandtabs(_TAB) for line in lines]
    least = min((len(line) - len(line.lstrip(" ")) for line in expanded if line.strip()), default=0)
    return "\n".join(line[least:].rstrip() for line in expanded).strip("\n")
