"""The documents of a spec task side by side: any version of them, what is new in it, and comments below their lines."""

import difflib
import html
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import attributed, button, element, text
from office_server.dashboard.words import Words
from office_server.spec_rows import SpecComment, SpecVersion

DOCUMENTS = ("requirements.md", "design.md", "tasks.md")
_MOST_LINES = 3000
_LINE_OF = """(event) => {
  const line = event.target.closest("[data-line]");
  if (line) emit(Number(line.dataset.line));
}"""
Comment = Callable[[int, str, int | None], Awaitable[None]]
"""Of a version, a document and a line."""


class Documents:
    """`comment`: asks for a comment on a line; None for those who may not."""

    def __init__(self, words: Words, comment: Comment | None) -> None:
        self._words = words
        self._comment = comment
        self._versions: list[SpecVersion] = []
        self._comments: list[SpecComment] = []
        self._chosen: int | None = None
        self._in_review: int | None = None
        with element("div", "tools"):
            text("h3", words("spec.documents"))
            self._choice = ui.select({}, on_change=self._chose).props("outlined dense options-dense")
            attributed(self._choice, aria_label=words("spec.which")).set_visibility(False)
            self._said = text("span", "", "quiet")
        self._box = element("div", "documents")

    def show(self, versions: list[SpecVersion], comments: list[SpecComment], in_review: int | None) -> None:
        """`in_review`: the version that may be commented on now."""
        if (versions, comments, in_review) == (self._versions, self._comments, self._in_review):
            return
        self._in_review = in_review
        newest_was_chosen = not self._versions or self._chosen == self._versions[-1].version
        self._versions, self._comments = versions, comments
        if newest_was_chosen and versions:
            self._chosen = versions[-1].version
        options = {one.version: self._name_of(one) for one in reversed(versions)}
        self._choice.set_options(options, value=self._chosen)  # pyright: ignore[reportUnknownMemberType]
        self._choice.set_visibility(bool(versions))
        self._build()

    def _name_of(self, version: SpecVersion) -> str:
        words = self._words
        said = words("spec.version", number=version.version)
        return f"{said} · {words.of('verdict', version.verdict)}" if version.verdict else said

    def _chose(self, event: Any) -> None:
        if event.value is not None and event.value != self._chosen:
            self._chosen = event.value
            self._build()

    def _build(self) -> None:
        self._box.clear()
        version = next((one for one in self._versions if one.version == self._chosen), None)
        if version is None:
            return
        before = next((one for one in self._versions if one.version == version.version - 1), None)
        by = f"{version.decided_by} · " if version.decided_by else ""
        self._said.show(f"{by}{version.commit[:12]}")
        others = [one for one in version.documents if one not in DOCUMENTS and one.endswith(".md") and "/" not in one]
        with self._box:
            for name in (*DOCUMENTS, *(one for one in others if one != "coordination.md")):
                self._document(version, before, name)

    def _document(self, version: SpecVersion, before: SpecVersion | None, name: str) -> None:
        words = self._words
        content = version.documents.get(name)
        comment = self._comment if version.version == self._in_review else None
        comments = [one for one in self._comments if one.version == version.version and one.document == name]
        with element("section", "sheet document", aria_label=name):
            with element("header"):
                text("h4", name, "mono")
                if comments:
                    text("span", words("spec.comments", count=len(comments)), "quiet")
                if comment is not None and content is not None:
                    button(words("spec.comment"), partial(comment, version.version, name, None), "button small")
            if content is None:
                text("p", words("spec.not_there"), "quiet")
                return
            old = before.documents.get(name) if before is not None else None
            shown = ui.html(as_html(content, old, comments), sanitize=False)  # it is escaped
            attributed(shown.classes("lines-of"), tabindex="0", role="region", aria_label=name)
            if comment is not None:

                async def on_line(event: Any) -> None:
                    await comment(version.version, name, int(event.args))

                shown.classes("can").on("click", on_line, js_handler=_LINE_OF)


def as_html(content: str, before: str | None, comments: Iterable[SpecComment]) -> str:
    """Lines with their numbers; what the version before did not have is marked, comments stand below their lines."""
    lines = content.splitlines()
    new = new_lines(before.splitlines(), lines) if before is not None else set[int]()
    below: dict[int | None, list[str]] = {}
    for one in comments:
        at = one.line if one.line is not None and one.line <= len(lines) else None
        said = f"<b>{html.escape(one.author)}</b> {html.escape(one.text)}"
        below.setdefault(at, []).append(f'<div class="comment">{said}</div>')
    made = below.get(None, [])
    for number, line in enumerate(lines[:_MOST_LINES], 1):
        kind = "line new" if number in new else "line"
        heading = " heading" if line.startswith("#") else ""
        made.append(
            f'<div class="{kind}{heading}" data-line="{number}"><i>{number}</i>{html.escape(line) or " "}</div>'
        )
        made += below.get(number, [])
    if len(lines) > _MOST_LINES:
        made.append(f'<div class="line">… {len(lines) - _MOST_LINES}</div>')
    return "".join(made)


def new_lines(before: list[str], now: list[str]) -> set[int]:
    """The numbers of lines that were not there before."""
    found: set[int] = set()
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=len(now) > _MOST_LINES)
    for change, _, _, start, end in matcher.get_opcodes():
        if change in ("insert", "replace"):
            found.update(range(start + 1, end + 1))
    return found
