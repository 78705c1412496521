"""Has a client begin, or join an office, in processes of their own. The client outlives the window that began it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.errors import OfficeError, by_code

WATCH_SECONDS = 15.0
LOOK_SECONDS = 0.2
LOG = "client.log"


async def start_client(state: Path, policy: Path) -> None:
    """Starts the client of that folder as `semo client start` would, with its log in the folder.

    Raises:
        OfficeError: it ended within its first seconds; with its own last words.
    """
    environment = os.environ | {"SEMO_CLIENT_STATE_DIR": str(state), "SEMO_CLIENT_POLICY_FILE": str(policy)}
    log = state / LOG
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # noqa: ASYNC220  it is to live on, which asyncio's own does not
            [sys.executable, "-m", "remote_client", "--ready-line"],
            stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, env=environment, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(descriptor)
    for _ in range(int(WATCH_SECONDS / LOOK_SECONDS)):
        await asyncio.sleep(LOOK_SECONDS)
        if process.poll() is not None:
            break
    if process.returncode:
        raise _last_words(log)


def _last_words(log: Path) -> OfficeError:
    for line in reversed(log.read_text(errors="replace").splitlines()[-20:]):
        try:
            said: Any = json.loads(line)
            return OfficeError(str(said["message"]), advice=str(said["do"]))
        except (ValueError, KeyError, TypeError):
            continue
    return OfficeError("the client ended at once", advice=f"see {log}")


async def join_office(invitation: str, office_url: str, name: str, state: Path) -> str:
    """Joins an office with a code or the link that holds one. Returns the office's name.

    Raises:
        OfficeError: as the office or the network says.
    """
    # In a process of its own: signing in takes libraries that would be half of this one's memory.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "desktop_client.joining",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    wish = {"invitation": invitation, "office_url": office_url, "name": name, "state": str(state)}
    out, _ = await process.communicate(json.dumps(wish).encode())
    try:
        said: dict[str, Any] = json.loads(out)
    except ValueError:
        raise OfficeError("joining broke down", advice="semo client join CODE says why") from None
    if "error" in said:
        raise by_code().get(said["error"], OfficeError)(said["detail"], advice=said["advice"])
    return str(said["office"])
