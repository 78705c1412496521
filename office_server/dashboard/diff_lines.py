"""A diff as HTML, line by line, with what was added and removed marked. No I/O."""

import html

_HEADS = ("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode", "Binary files")


def as_html(diff: str) -> str:
    return "".join(f'<div class="{_kind(line)}">{html.escape(line) or " "}</div>' for line in diff.splitlines())


def _kind(line: str) -> str:
    if line.startswith("diff "):
        return "d file"
    if line.startswith(_HEADS):
        return "d meta"
    if line.startswith("@@"):
        return "d hunk"
    return {"+": "d add", "-": "d del"}.get(line[:1], "d")
