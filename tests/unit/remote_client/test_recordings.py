"""What a spool becomes: an asciicast with every byte, and a transcript that a person can read."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from remote_client.monitor.recording import read_recording
from remote_client.ptyhost.events import Events, Start
from remote_client.ptyhost.spool import Spool
from remote_client.recordings.cast import CastWriter
from remote_client.recordings.shelf import CAST, TEXT, free_name, listed, make_room
from remote_client.recordings.spooled import Spooled
from remote_client.recordings.transcript import TranscriptWriter
from remote_client.recordings.waiting import About, take
from remote_client.terminals import TOUCHED, ExitStatus
from shared.ids import ByteOffset, SessionId

BEGAN = 1_700_000_000.0


class Tape:
    """A spool as a host writes it, one piece a second."""

    def __init__(self, folder: Path, keep_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.events = Events(folder, Start(1, None, ByteOffset(0), 20, 5, BEGAN))
        self.events.save()
        self._spool = Spool(folder, keep_bytes)
        self._end = 0
        self._now = BEGAN

    def put_out(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._now += 1
            self._spool.append(ByteOffset(self._end), piece, self._now)
            self._end += len(piece)

    def skip(self, size: int) -> None:
        self._end += size

    def resize(self, cols: int, rows: int) -> None:
        self.events.resized(ByteOffset(self._end), cols, rows)

    def spooled(self) -> Spooled:
        self.events.exited(ExitStatus(0, None))
        self._spool.close()
        return Spooled(self.folder)

    def cast(self) -> list[Any]:
        spooled, file = self.spooled(), io.StringIO()
        writer = CastWriter(file, spooled.began, spooled.size, "BE")
        for happened in spooled.happened():
            writer.write(happened)
        read_recording(file.getvalue())  # the monitor takes it
        return [json.loads(line) for line in file.getvalue().splitlines()]

    def transcript(self) -> str:
        spooled, file = self.spooled(), io.StringIO()
        writer = TranscriptWriter(file, spooled.size)
        for happened in spooled.happened():
            writer.write(happened)
        return file.getvalue()


def test_output_sizes_and_the_exit_stand_where_and_when_they_came(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(b"one\r\n")
    tape.resize(40, 10)
    tape.put_out(b"two\r\n")

    header, *events = tape.cast()

    assert (header["version"], header["width"], header["height"], header["timestamp"]) == (2, 20, 5, int(BEGAN))
    assert [event[1:] for event in events] == [["o", "one\r\n"], ["r", "40x10"], ["o", "two\r\n"], ["x", "0"]]
    assert (events[0][0], events[2][0]) == (1, events[1][0]), "no event is before the one before it"


def test_a_character_that_came_in_pieces_is_whole_and_what_is_none_is_replaced(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(b"a\xe2", b"\x82", b"\xacb", b"\xff\x1b[0m", b"\xe2")

    events = tape.cast()[1:]

    assert "".join(event[2] for event in events if event[1] == "o") == "a€b\ufffd\x1b[0m\ufffd"


def test_what_was_not_kept_is_noted_in_both(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        tape = Tape(tmp_path / folder)
        tape.put_out(b"before\r\n")
        tape.skip(1234)
        tape.put_out(b"after\r\n")
        if folder == "a":
            assert ["m", "1234 bytes were not kept"] in [event[1:] for event in tape.cast()[1:]]
        else:
            assert tape.transcript() == "before\n\n[1234 bytes were not kept]\nafter\n"


def test_the_oldest_output_that_the_spool_dropped_is_noted_and_the_size_is_that_of_the_rest(tmp_path: Path):
    tape = Tape(tmp_path, keep_bytes=65_536)
    tape.resize(30, 7)
    for number in range(3000):
        tape.put_out(f"line {number:04} of many, of which the first are dropped\r\n".encode())

    header, first, *_ = tape.cast()

    assert (header["width"], header["height"]) == (30, 7)
    assert first[1] == "m"
    assert "not kept" in first[2]


def test_somebody_taking_over_is_marked_and_what_they_typed_is_not_there(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(b"password: ")
    tape.events.add_hook(ByteOffset(10), TOUCHED, {"by": "local:ada", "keys": ""}, waits=False, truncated=False)
    tape.put_out(b"\r\n")

    events = tape.cast()[1:]

    assert ["m", "local:ada types"] in [event[1:] for event in events]
    assert not [event for event in events if event[1] == "i"]


def test_a_transcript_reads_as_the_screen_did(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(b"\x1b]0;title\x07\x1b[31mred\x1b[0m and ", "grün 🚀\r\n".encode())
    tape.put_out(b"downloading 10%\rdownloading 99%\rdone\x1b[K\r\n")
    tape.put_out(b"this line is longer than the screen is wide\r\n")
    tape.put_out(b"\x1b[?1049hfull screen\x1b[?1049l", b"$ \r\n\r\n")

    assert tape.transcript() == (
        "red and grün 🚀\ndone\nthis line is longer than the screen is wide\n$\n\n\nfull screen\n"
    )


def test_readline_wrapping_a_long_command_leaves_it_in_one_line(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(b"$ echo 1234567890123 \r4567 890\r\n")  # as readline goes on in the next row

    assert tape.transcript() == "$ echo 12345678901234567 890\n"


def test_a_long_transcript_has_every_line_once(tmp_path: Path):
    tape = Tape(tmp_path)
    tape.put_out(*(b"".join(b"%d\r\n" % number for number in range(start, start + 1000))
                   for start in range(0, 20_000, 1000)))  # fmt: skip

    assert tape.transcript().split() == [str(number) for number in range(20_000)]


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_old(tmp_path: Path):
    now = time.time()
    for age_days in (50, 3, 2, 1):
        place = free_name(tmp_path, now - age_days * 86_400, "BE", SessionId(uuid4()))
        for suffix in (CAST, TEXT):
            path = tmp_path / f"{place.name}{suffix}"
            path.write_bytes(b"x" * 1000)
            os.utime(path, (now - age_days * 86_400, now - age_days * 86_400))

    assert len(make_room(tmp_path, keep_days=30, max_bytes=10_000)) == 1, "too old"
    assert len(make_room(tmp_path, keep_days=30, max_bytes=4000)) == 1, "too many"
    assert [round((now - one.made_at) / 86_400) for one in listed(tmp_path)] == [2, 1]
    assert len(list(tmp_path.iterdir())) == 4, "transcripts go with their recordings"


def test_a_session_that_begins_anew_within_a_second_gets_a_name_of_its_own(tmp_path: Path):
    session_id = SessionId(uuid4())
    first = free_name(tmp_path, BEGAN, "BE", session_id)
    (tmp_path / f"{first.name}{CAST}").touch()
    second = free_name(tmp_path, BEGAN, "BE", session_id)
    (tmp_path / f"{second.name}{CAST}").touch()

    assert first != second
    assert [one.session_id for one in listed(tmp_path)] == [session_id] * 2
    assert [one.role for one in listed(tmp_path)] == ["BE"] * 2


def test_a_full_disk_is_said_and_leaves_nothing_half_made(tmp_path: Path):
    (tmp_path / "spool").mkdir()
    tape = Tape(tmp_path / "spool")
    tape.put_out(b"x" * 100_000)
    tape.spooled()
    shelf = tmp_path / "recordings"
    take(shelf, tape.folder, About(SessionId(uuid4()), "BE", "shell"))

    made = make_all(shelf, "ulimit -f 4")

    assert (made.returncode, "File too large" in made.stderr) == (0, True), made
    assert not [path for path in shelf.rglob("*") if path.is_file()]


def test_what_was_taken_survives_the_spool_and_one_that_is_broken_holds_up_no_other(tmp_path: Path):
    shelf = tmp_path / "recordings"
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
        tape = Tape(tmp_path / name)
        tape.put_out(b"hello\r\n")
        tape.spooled()
        if name == "broken":
            (tape.folder / "events.jsonl").write_text("{")
        take(shelf, tape.folder, About(SessionId(uuid4()), "BE", "shell"))
        shutil.rmtree(tape.folder)

    made = make_all(shelf)

    assert "no recording of session" in made.stderr
    [found] = listed(shelf)
    assert found.transcript.read_text() == "hello\n"
    assert {path.name for path in shelf.rglob("*") if path.is_file()} == {found.cast.name, found.transcript.name}


def make_all(shelf: Path, before: str = ":") -> subprocess.CompletedProcess[str]:
    """Runs what the client runs."""
    maker = [sys.executable, "-m", "remote_client.recordings", str(shelf), "--keep-days=1", "--max-bytes=1000000"]
    return subprocess.run(
        ["bash", "-c", f'{before}; exec "$@"', "bash", *maker], capture_output=True, text=True, check=False
    )
