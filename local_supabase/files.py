"""Files and folders that hold secrets: private from their first byte, never half written."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import shared.folders
from local_supabase.errors import DataFolderBusy, ForeignDataFolder, NotEnoughSpace
from shared.errors import ForeignFolder

MINIMUM_FREE_BYTES = 200 * 1024 * 1024


def private_folder(path: Path) -> Path:
    """Makes `path` (mode 0700), or takes over an empty one or one of ours.

    Raises:
        ForeignDataFolder: it is somebody else's or used for something else, or cannot be made.
    """
    try:
        return shared.folders.private_folder(path, option="--data")
    except ForeignFolder as error:
        raise ForeignDataFolder(error.detail, kept="nothing was changed", do=error.advice or "") from error


def write_private(path: Path, content: bytes) -> None:
    """Replaces `path` (mode 0600) in one step: a reader sees the old or the new, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_one(folder: Path) -> Generator[None]:
    """Holds `folder` for this process; the lock goes with the process, however it ends.

    Raises:
        DataFolderBusy: another process holds it.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderBusy(
                f"{folder} is in use by another process",
                kept="nothing was changed",
                do="stop the other one, or choose another folder with --data",
            ) from error
        yield
    finally:
        os.close(handle)


def require_space(folder: Path, needed_bytes: int = MINIMUM_FREE_BYTES) -> None:
    """Raises NotEnoughSpace when the disk of `folder` has less than `needed_bytes` left."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise NotEnoughSpace(
            f"only {free // 2**20} MB are free where {folder} is; {needed_bytes // 2**20} MB are needed",
            kept="nothing was changed",
            do="make room, or choose a folder on another disk with --data",
        )
