"""A real bash, as its recording has it: every byte in the asciicast, and a transcript as a person read it."""

import io
from pathlib import Path

from remote_client.monitor.recording import Recording, read_recording
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.recordings.cast import CastWriter
from remote_client.recordings.spooled import Spooled
from remote_client.recordings.transcript import TranscriptWriter
from tests.integration.ptyhost.terminals import Watched

# The prompt counts, so that a line is typed at its own prompt and never ahead of it.
BASH = ("env", r"PS1=\#$ ", "bash", "--norc", "--noprofile", "-i")
LONG = "echo a long command line that goes far beyond the right margin of a terminal of sixty columns"


def recorded(folder: Path) -> tuple[Recording, str]:
    spooled, cast, text = Spooled(folder), io.StringIO(), io.StringIO()
    writers = CastWriter(cast, spooled.began, spooled.size, "BE"), TranscriptWriter(text, spooled.size)
    for happened in spooled.happened():
        for writer in writers:
            writer.write(happened)
    return read_recording(cast.getvalue()), text.getvalue()


async def test_a_recording_has_every_byte_and_its_transcript_every_line(
    terminals: HostTerminals, tmp_path: Path
) -> None:
    async with Watched.running(terminals, BASH, tmp_path) as bash:
        await bash.until_shown("1$ ")
        await terminals.resize(bash.session_id, 60, 24)
        await bash.type(f"{LONG} $((6 + 6))\r")
        await bash.until_shown("2$ ")
        await bash.type("echo abc\x1b[D\x1b[D\x1b[DZ-$((2 + 2))-\x05 end-$((3 + 3))\r")
        await bash.until_shown("3$ ")
        await bash.type("printf '\\033[31mrot\\033[0m %s\\n' 'grün 🚀 漢字'; printf '10%%\\r99%%\\n'\r")
        await bash.until_shown("4$ ")
        await bash.type("exit 3\r")
        await bash.ended()
        folder = await terminals.kept_in(bash.session_id)
        assert folder is not None

        recording, transcript = recorded(folder)

        assert b"".join(event.data for event in recording.events if event.kind == "output") == bytes(bash.output)
        assert [event.data for event in recording.events if event.kind == "resize"] == [b"60x24"]
        assert (recording.events[-1].kind, recording.events[-1].data) == ("exit", b"3")
        assert transcript == (
            f"1$ {LONG} $((6 + 6))\n"
            f"{LONG.removeprefix('echo ')} 12\n"
            "2$ echo Z-$((2 + 2))-abc end-$((3 + 3))\n"
            "Z-4-abc end-6\n"
            "3$ printf '\\033[31mrot\\033[0m %s\\n' 'grün 🚀 漢字'; printf '10%%\\r99%%\\n'\n"
            "rot grün 🚀 漢字\n"
            "99%\n"
            "4$ exit 3\n"
            "exit\n"
        )
