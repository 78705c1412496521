"""What terminals left and is still to be made a recording of: each in a folder of its own, hard links to the spool.

Taking costs no space and no time, so that the terminal can be forgotten at once; a crash in between loses nothing.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from shared.ids import SessionId

_FOLDER = ".waiting"
_ABOUT = "about.json"


@dataclass(frozen=True)
class About:
    session_id: SessionId
    role: str
    agent: str


@dataclass(frozen=True)
class Left:
    folder: Path
    about: About

    def drop(self) -> None:
        shutil.rmtree(self.folder)


def take(shelf: Path, spool: Path, about: About) -> None:
    """
    Raises:
        OSError: it cannot be kept.
    """
    folder = shelf / _FOLDER / uuid4().hex
    folder.mkdir(mode=0o700, parents=True)
    shelf.chmod(0o700)
    try:
        for path in spool.iterdir():
            os.link(path, folder / path.name)
        told = {"session_id": str(about.session_id), "role": about.role, "agent": about.agent}
        fresh = folder / f"{_ABOUT}.new"
        fresh.write_text(json.dumps(told))
        fresh.replace(folder / _ABOUT)  # it is whole from here on
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def waiting(shelf: Path) -> Iterator[Left]:
    """Oldest first. What was taken by halves is removed."""
    for folder in sorted((shelf / _FOLDER).glob("*"), key=lambda path: path.stat().st_mtime):
        try:
            told = json.loads((folder / _ABOUT).read_text())
        except FileNotFoundError:
            shutil.rmtree(folder)
            continue
        yield Left(folder, About(SessionId(UUID(told["session_id"])), told["role"], told["agent"]))
