"""Finds the clusters that root keeps outside of data folders and whose data folder is gone. Deletes nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

from local_supabase.cluster import ROOTS_CLUSTERS, data_folder_of, read_record
from local_supabase.postmaster import is_served


@dataclass(frozen=True)
class Orphan:
    """A cluster at `home` that no data folder names. `data`: the one that did; None: that was never noted."""

    home: Path
    data: Path | None
    size_bytes: int


def orphans() -> list[Orphan]:
    """Those on this machine, by their place. A user has none: a user's cluster lies in the data folder."""
    try:
        homes = sorted(path for path in ROOTS_CLUSTERS.iterdir() if path.is_dir())
    except (FileNotFoundError, PermissionError):
        return []
    found = [(home, data_folder_of(home)) for home in homes if not is_served(home / "data")]
    return [Orphan(home, data, _size(home)) for home, data in found if data is None or not _names(data, home)]


def _names(data: Path, home: Path) -> bool:
    return read_record(data).get("home") == str(home)


def _size(folder: Path) -> int:
    return sum(Path(where, name).lstat().st_size for where, _, names in os.walk(folder) for name in names)
