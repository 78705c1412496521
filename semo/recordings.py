"""`semo recordings`: what the sessions of this machine have left behind."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from remote_client.recordings.shelf import listed, recordings_of
from semo import console


def show(states: Sequence[Path], *, as_json: bool) -> None:
    """Prints the recordings in these clients' state folders, oldest first."""
    found = [one for state in dict.fromkeys(states) for one in listed(recordings_of(state))]
    if as_json:
        console.machine(
            [
                {
                    "session_id": one.session_id, "role": one.role, "began": one.began.isoformat(), "bytes": one.bytes,
                    "cast": one.cast, "transcript": one.transcript,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    if not found:
        console.step("no session has ended here yet, or the policy keeps no recordings")
        return
    table = Table("began (UTC)", "role", "size", "recording", box=None, pad_edge=False)
    for one in found:
        table.add_row(f"{one.began:%Y-%m-%d %H:%M:%S}", one.role, f"{one.bytes / 1000:,.0f} kB", str(one.cast))
    console.table(table)
    console.step("asciinema play FILE shows one again; next to it is the transcript, FILE with .txt for .cast")
