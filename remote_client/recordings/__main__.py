"""`python -m remote_client.recordings SHELF …`: makes recordings of all that waits there, and room for them.

A process of its own, so that the client is not held up. Says in one line each what could not be made; returns 0.
"""

import argparse
import os
import sys
from pathlib import Path

from remote_client.recordings.cast import CastWriter
from remote_client.recordings.shelf import CAST, TEXT, free_name, make_room, open_private
from remote_client.recordings.spooled import Spooled
from remote_client.recordings.transcript import TranscriptWriter
from remote_client.recordings.waiting import Left, waiting

_NICE = 10


def _make(shelf: Path, left: Left) -> None:
    """
    Raises:
        OSError, ValueError: it cannot be read, or the disk takes no more; nothing half-made stays.
    """
    spooled, about = Spooled(left.folder), left.about
    # Hidden, and on the same file system, until both are whole.
    cast, text = left.folder / f"made{CAST}", left.folder / f"made{TEXT}"
    with (
        os.fdopen(open_private(cast), "w", encoding="utf-8") as cast_file,
        os.fdopen(open_private(text), "w", encoding="utf-8") as text_file,
    ):
        writers = (
            CastWriter(cast_file, spooled.began, spooled.size, f"{about.role} · {about.agent} · {about.session_id}"),
            TranscriptWriter(text_file, spooled.size),
        )
        for happened in spooled.happened():
            for writer in writers:
                writer.write(happened)
    place = free_name(shelf, spooled.began, about.role, about.session_id)
    text.replace(shelf / f"{place.name}{TEXT}")
    cast.replace(shelf / f"{place.name}{CAST}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="remote_client.recordings")
    parser.add_argument("shelf", type=Path)
    parser.add_argument("--keep-days", type=float, required=True)
    parser.add_argument("--max-bytes", type=int, required=True)
    arguments = parser.parse_args()
    os.umask(0o077)
    os.nice(_NICE)
    make_room(arguments.shelf, arguments.keep_days, arguments.max_bytes)
    for left in waiting(arguments.shelf):
        try:
            _make(arguments.shelf, left)
        except Exception as error:  # noqa: BLE001  one that cannot be made must not hold up the others
            words = f"no recording of session {left.about.session_id}: {error!r}"
            print(words, file=sys.stderr)  # noqa: T201 - the client reads it
        left.drop()
        make_room(arguments.shelf, arguments.keep_days, arguments.max_bytes)


main()
