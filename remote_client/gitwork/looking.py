"""What people may see of a session's worktree: the diff of its work, and the pictures that were made in it.

Looks, and changes nothing; bounded in size and number, whatever lies there. Blocks: its callers run it in threads.
"""

import base64
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remote_client.gitwork.conditions import work_in
from remote_client.worktrees_git import Git
from shared.errors import InvalidPayload, NotFound

DIFF_MAX_BYTES = 200_000
FILES_NAMED = 300
PICTURES_NAMED = 48
PICTURE_MAX_BYTES = 524_288
_LISTED_MAX_BYTES = 4_000_000
"""Of the names of files that git does not track."""

_KINDS = {
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"), ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"), ".gif": ("image/gif", b"GIF8"), ".webp": ("image/webp", b"RIFF"),
}  # fmt: skip
"""Pictures by how their names end, and how what is in them begins. SVG is left out: it may hold scripts."""

_OTHERS = {"node_modules", ".venv", "site-packages", ".git"}
"""Folders whose pictures nobody here has made."""

_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")


@dataclass(frozen=True)
class _File:
    path: str
    added: int | None
    removed: int | None


def look(here: Git, base: str) -> dict[str, Any]:
    """The diff of all that was done since the work left its base, committed or not; the files; the pictures.

    Raises:
        SessionFailed: git failed.
    """
    work = work_in(here, base, None)
    start = work.start or work.head
    with tempfile.TemporaryDirectory() as scratch:
        there = _with_new_files(here, Path(scratch))
        files = _files(there, start) if start is not None else []
        diff, cut = there.begins(*_DIFF, start, most_bytes=DIFF_MAX_BYTES) if start is not None else (b"", False)
    pictures = _pictures(here, files)
    return {
        "start": start, "head": work.head, "commits": work.commits,
        "files": [vars(one) for one in files[:FILES_NAMED]], "files_total": len(files),
        "diff": diff.decode(errors="replace").replace("\0", "\ufffd"), "diff_cut": cut,
        "pictures": pictures[:PICTURES_NAMED], "pictures_total": len(pictures),
    }  # fmt: skip


def read_picture(here: Git, base: str, name: str) -> dict[str, Any]:
    """One of the pictures that `look` names.

    Raises:
        NotFound: there is no such picture in the work.
        InvalidPayload: it is too large, or no picture.
    """
    start = (work := work_in(here, base, None)).start or work.head
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(_with_new_files(here, Path(scratch)), start) if start is not None else []
    known = next((one for one in _pictures(here, files) if one["path"] == name), None)
    if known is None:
        raise NotFound(f'there is no picture "{name}" among the work of this session')
    path = here.folder / name
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            data = file.read(PICTURE_MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(f'"{name}" cannot be read: {error.strerror}') from error
    media_type, begins = _KINDS[path.suffix.lower()]
    if len(data) > PICTURE_MAX_BYTES:
        raise InvalidPayload(f'"{name}" is larger than {PICTURE_MAX_BYTES} bytes')
    if not data.startswith(begins):
        raise InvalidPayload(f'"{name}" is no {media_type}')
    return known | {"media_type": media_type, "data": base64.b64encode(data).decode()}


def _with_new_files(here: Git, scratch: Path) -> Git:
    """Git with an index of its own, in which new files stand, too; the worktree's own is not touched."""
    index = scratch / "index"
    own = here.folder / here("rev-parse", "--git-path", "index")
    if own.exists():
        shutil.copyfile(own, index)
    there = Git(here.folder, here.holding, {**here.environment, "GIT_INDEX_FILE": str(index)})
    there("add", "--intent-to-add", "--", ".")
    return there


def _files(here: Git, start: str) -> list[_File]:
    found: list[_File] = []
    for line in here.names(*_DIFF, "--numstat", "-z", start):
        added, removed, path = line.split("\t", 2)
        if _can_travel(path):
            found.append(_File(path, _number(added), _number(removed)))
    return found


def _number(said: str) -> int | None:
    """git says - of what is not text."""
    return int(said) if said.isdecimal() else None


def _pictures(here: Git, files: list[_File]) -> list[dict[str, Any]]:
    """The latest first. Pictures that git is told to ignore count: screenshots of tests mostly are."""
    patterns = [f":(icase)*{ending}" for ending in _KINDS]
    listed, _ = here.begins(
        "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *patterns, most_bytes=_LISTED_MAX_BYTES
    )
    ignored = [name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name]
    names = [one.path for one in files] + [name for name in ignored if _can_travel(name)]
    root = here.folder.resolve()
    found: list[tuple[float, dict[str, Any]]] = []
    for name in dict.fromkeys(names):
        path = here.folder / name
        if path.suffix.lower() not in _KINDS or _OTHERS & set(path.relative_to(here.folder).parts):
            continue
        try:
            facts = path.lstat()
            inside = path.resolve().is_relative_to(root)
        except OSError:
            continue  # it is gone, or was removed by the work
        if stat.S_ISREG(facts.st_mode) and inside:
            at = datetime.fromtimestamp(facts.st_mtime, UTC).isoformat()
            found.append((facts.st_mtime, {"path": name, "bytes": facts.st_size, "at": at}))
    return [one for _, one in sorted(found, key=lambda one: -one[0])]


def _can_travel(name: str) -> bool:
    return name.isprintable()
