"""What is looked at after everything went wrong: the output that the office has, and what runs on the machine."""

import re
from pathlib import Path

from tests.integration.remote_client.office import Office


async def lines_shown(office: Office) -> dict[int, list[int]]:
    """The numbers of the lines `line-PROMPT-NUMBER` by prompt, in all output of the office, which must have no gap."""
    shown: dict[int, list[int]] = {}
    for session in await office.sql("select id from agent_sessions where office_id = %s", office.office_id):
        chunks = await office.sql(
            "select start_offset, end_offset from session_output where session_id = %s order by 1", session["id"]
        )
        ends = [0, *(chunk["end_offset"] for chunk in chunks)]
        assert [chunk["start_offset"] for chunk in chunks] == ends[:-1], "no byte is missing or doubled"
        for number, line in re.findall(r"line-(\d+)-(\d+)", await office.output_of(session["id"])):
            shown.setdefault(int(number), []).append(int(line))
    return shown


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that work in the folder, or serve it."""
    found: list[str] = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            where, command = (process / "cwd").readlink(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if where.is_relative_to(folder) or str(folder).encode() in command:
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found
