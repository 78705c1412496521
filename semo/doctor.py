"""`semo doctor`: looks at this machine and says what is missing, what that costs, and how to mend it."""

import asyncio
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from local_supabase.cluster import wheel_programs
from local_supabase.errors import EmbeddedError
from local_supabase.files import MINIMUM_FREE_BYTES
from local_supabase.orphans import orphans
from semo import console
from semo.doctor_client import client_findings
from semo.finding import Finding
from semo.folder import DataFolder
from semo.problems import Exit, SemoError

_SUBJECT_COLUMNS = 16
_AGENTS = ("claude", "codex", "gemini", "opencode", "aider")


@dataclass(frozen=True)
class ClientPlace:
    """Where a client of this machine keeps who it is, and what may run."""

    state: Path
    policy: Path


async def examine(folder: DataFolder, clients: Iterable[ClientPlace], *, as_json: bool) -> Exit:
    """Prints what is found; `clients` are looked at where this machine has joined an office."""
    findings = [
        *_programs(),
        *_database(),
        *_folder(folder),
        *_policy(folder),
        *_office(folder),
        *_orphans(),
        await _git_version(),
    ]
    for place in clients:
        findings += [finding async for finding in client_findings(place.state, place.policy)]
    if as_json:
        console.machine([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _tell(finding)
    return Exit.NOT_DONE if any(finding.state == "missing" for finding in findings) else Exit.DONE


def _programs() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", python)
    if shutil.which("bash"):
        yield Finding("bash", "ok", "the `shell` agent can run")
    else:
        yield Finding("bash", "missing", "the `shell` agent needs it", "install bash")
    found = [name for name in _AGENTS if shutil.which(name)]
    if found:
        yield Finding("agents", "ok", ", ".join([*found, "shell"]))
    else:
        yield Finding("agents", "note", "only `shell` is here", "install the command line of a coding agent")


async def _git_version() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", "missing", "every session works in a git worktree", "install git")
    process = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return Finding("git", "ok", said.decode().removeprefix("git version").strip())


def _database() -> Iterator[Finding]:
    try:
        programs = wheel_programs()
    except (EmbeddedError, ImportError) as error:
        yield Finding("postgresql", "missing", str(error), "make .venv")
    else:
        yield Finding("postgresql", "ok", f"embedded, in {programs}")


def _folder(folder: DataFolder) -> Iterator[Finding]:
    place = folder.path
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < MINIMUM_FREE_BYTES:
        yield Finding("disk", "missing", f"{free // 2**20} MB free where {folder.path} is", "make room, or use --data")
    else:
        yield Finding("disk", "ok", f"{free // 2**30} GB free where {folder.path} is")


def _policy(folder: DataFolder) -> Iterator[Finding]:
    """One that is there is looked at with the client that it binds."""
    if not folder.policy.exists():
        yield Finding("policy", "note", "none yet", "`semo up` writes one for its own client")


def _office(folder: DataFolder) -> Iterator[Finding]:
    try:
        status = folder.read_status()
    except SemoError as error:
        yield Finding("office", "note", error.what, error.do)
    else:
        yield Finding("office", "ok", f"open at {status.office_url}")


def _orphans() -> Iterator[Finding]:
    """Databases that root's offices have left: they do not lie in the data folder, and do not go with it."""
    found = orphans()
    for one in found:
        if one.data is not None:
            size = f"{one.size_bytes // 2**20} MB"
            yield Finding(
                "database", "note", f"{one.home} ({size}) was of {one.data}, which is gone",
                f"rm -r {shlex.quote(str(one.home))}; if that folder was only moved, start its office once instead",
            )  # fmt: skip
    if unknown := [one for one in found if one.data is None]:
        size = f"{sum(one.size_bytes for one in unknown) // 2**20} MB"
        yield Finding(
            "database", "note", f"{len(unknown)} in {unknown[0].home.parent} ({size}) may be of folders that are gone",
            "start each office that you keep once, then remove those in which there is no file `data-folder`",
        )  # fmt: skip


def _tell(finding: Finding) -> None:
    sign, style = {"ok": ("✔", "green"), "note": ("•", "yellow"), "missing": ("✘", "red")}[finding.state]
    console.out.print(f"{sign} {finding.subject:<{_SUBJECT_COLUMNS - 2}}", style=style, end="")
    line = finding.detail + (f" · {finding.mend}" if finding.mend else "")
    if len(line) <= console.out.width - _SUBJECT_COLUMNS:
        console.out.print(line, markup=False)
        return
    console.out.print(finding.detail, markup=False)
    console.out.print(f"{' ' * _SUBJECT_COLUMNS}{finding.mend}", style="dim", markup=False)
