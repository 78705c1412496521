"""The folder of finished recordings: `DATE-TIME-ROLE-SESSION.cast` and `.txt`, private, oldest first out."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from shared.ids import SessionId

CAST, TEXT = ".cast", ".txt"
_DAY_SECONDS = 86_400
_NAME = re.compile(
    r"(?P<began>\d{8}-\d{6})-(?P<role>.+)-(?P<session>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:_\d+)?"
)
_BEGAN = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Recording:
    cast: Path
    transcript: Path
    began: datetime
    role: str
    session_id: SessionId
    bytes: int
    """Of both files."""
    made_at: float
    """Unix time."""


def recordings_of(state: Path) -> Path:
    """The folder in a client's state folder."""
    return state / "recordings"


def free_name(shelf: Path, began: float, role: str, session_id: SessionId) -> Path:
    """Where a recording may be put, without its suffix."""
    moment = datetime.fromtimestamp(began, UTC).strftime(_BEGAN)
    name = f"{moment}-{re.sub(r'[^A-Za-z0-9_-]', '_', role) or 'nobody'}-{session_id}"
    place, number = shelf / name, 2
    while (shelf / f"{place.name}{CAST}").exists():
        place = shelf / f"{name}_{number}"
        number += 1
    return place


def listed(shelf: Path) -> Iterator[Recording]:
    """Oldest first."""
    for cast in sorted(shelf.glob(f"*{CAST}")):
        name = _NAME.fullmatch(cast.stem)
        if name is None:
            continue
        transcript = cast.with_suffix(TEXT)
        text_bytes = transcript.stat().st_size if transcript.exists() else 0
        began = datetime.strptime(name["began"], _BEGAN).replace(tzinfo=UTC)
        found = cast.stat()
        yield Recording(
            cast, transcript, began, name["role"], SessionId(UUID(name["session"])), found.st_size + text_bytes,
            found.st_mtime,
        )  # fmt: skip


def make_room(shelf: Path, keep_days: float, max_bytes: int) -> list[Recording]:
    """Removes the oldest until none is too old and all are within the bound; returns what was removed."""
    kept = list(listed(shelf))
    size = sum(one.bytes for one in kept)
    oldest = time.time() - keep_days * _DAY_SECONDS
    gone: list[Recording] = []
    for one in kept:
        if one.made_at >= oldest and size <= max_bytes:
            continue
        for path in (one.cast, one.transcript):
            path.unlink(missing_ok=True)
        size -= one.bytes
        gone.append(one)
    return gone


def open_private(path: Path) -> int:
    """A new file that nobody else can read."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
