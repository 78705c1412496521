"""`semo demo`: a whole office in a throw-away folder, real work in real terminals, and the rows that it left."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semo import console
from semo.folder import DataFolder, Status
from semo.follow import follow
from semo.office_api import OfficeApi
from semo.problems import SemoError
from semo.rows import command_rows, insert_by_hand, result_rows, show_commands, show_results
from semo.stack import Stack, Wishes

DONE = "echo '[SEMO:DONE]'"
SAY_DONE = "Change nothing. End your answer with a line that says only [SEMO:DONE]."


@dataclass(frozen=True)
class Scene:
    """One role's work in the demo: as a script for the `shell` agent, and as a question for one that thinks, which it
    can answer without asking for permission."""

    role: str
    wish: str
    script: str
    question: str

    def prompt(self, agent: str) -> str:
        return self.script if agent == "shell" else f"{self.question}\n{SAY_DONE}"

    def in_words(self, agent: str) -> str:
        return f"{self.role} is asked to {self.wish}" if agent == "shell" else f"{self.role} is asked: {self.question}"


SCENES = (
    Scene("FE", "write a page, and commit it", f"""cat > index.html <<'PAGE'
<!doctype html><title>Hello</title><h1>Hello from the frontend</h1>
PAGE
git add index.html && git commit --quiet -m "A page that says hello" && git log --oneline -1
{DONE}""", "What does README.md say? One sentence."),
    Scene("BE", "write a function with a test, run it, and commit both", f"""cat > greet.py <<'CODE'
def greet(name):
    return f"Hello, {{name}}!"
CODE
cat > test_greet.py <<'CODE'
from greet import greet
assert greet("office") == "Hello, office!"
print("1 test passed")
CODE
python3 test_greet.py && git add . && git commit --quiet -m "Greets, and a test for it" && git log --oneline -1
{DONE}""", "Which function would you write first in this repository? One sentence."),
    Scene("QA", "look at what the others made", f"""git branch --all --format='%(refname:short)'
git show agent/BE-demo:test_greet.py | head -n 3
{DONE}""", "What would you test first in this repository? One sentence."),
)  # fmt: skip


async def demo(agent: str) -> None:
    """Runs the demo and prints its one line of JSON last.

    Raises:
        SemoError: something did not go as it should; everything that was started is stopped first.
    """
    began = time.monotonic()
    folder = DataFolder(Path(tempfile.mkdtemp(prefix="semo-demo-")))
    stack = Stack(Wishes(folder=folder, port=0, agent=agent, dashboard=False), console.step)
    try:
        async with stack:
            console.good(f"the office is open at {stack.status.office_url}")
            async with OfficeApi.of(stack.status) as api:
                summary = await _play(api, stack.status, agent)
    finally:
        await stack.remove()
        console.good("everything that was started has been stopped")
    console.machine({**summary, "elapsed_s": round(time.monotonic() - began, 1)})


async def _play(api: OfficeApi, status: Status, agent: str) -> dict[str, Any]:
    sessions = await asyncio.gather(*(_open(api, scene.role, agent) for scene in SCENES))
    *at_once, last = zip(SCENES, sessions, strict=True)
    await asyncio.gather(*(_prompt(api, agent, scene, session_id) for scene, session_id in at_once))
    await _prompt(api, agent, *last)  # looks at what the others made

    where = f"pwd\n{DONE}" if agent == "shell" else f"In which folder do you work?\n{SAY_DONE}"
    by_hand = await insert_by_hand(status, "BE", where)
    console.step("BE is asked where it is, by a row inserted by hand as one would in the Supabase dashboard")
    await _watch(api, by_hand, "BE")

    await asyncio.gather(*(api.delete(f"/sessions/{session_id}") for session_id in sessions))
    return await _account(status, agent)


async def _open(api: OfficeApi, role: str, agent: str) -> str:
    session = await api.post("/sessions", {"role": role, "agent": agent, "task": "demo"})
    console.good(f"{role} has a terminal (pid {session['pid']}) in worktree {Path(session['worktree_path']).name} "
                 f"on branch {session['branch']}")  # fmt: skip
    return str(session["session_id"])


async def _prompt(api: OfficeApi, agent: str, scene: Scene, session_id: str) -> None:
    console.step(scene.in_words(agent))
    stored = await api.post(f"/sessions/{session_id}/prompt", {"text": scene.prompt(agent)})
    await _watch(api, stored["command_id"], scene.role)


async def _watch(api: OfficeApi, command_id: str, role: str) -> None:
    line, command = "", dict[str, Any]()
    async for said in follow(api, command_id):
        *lines, line = (line + said.text).split("\n")
        for whole in lines:
            console.quote(role, whole)
        command = said.command or command
    if command["status"] != "completed":
        raise SemoError(f"the prompt of {role} ended {command['status']}: {command.get('error')}")


async def _account(status: Status, agent: str) -> dict[str, Any]:
    """Prints the rows as they stand in the database, and counts them."""
    commands = await command_rows(status)
    results = await result_rows(status)
    show_commands(commands)
    show_results(results)
    console.out.print()
    sessions = {row["session_id"] for row in commands if row["session_id"]}
    every = all(row["status"] == "completed" for row in commands) and all(row["success"] for row in results)
    if not every or len(commands) != len(results):
        raise SemoError("not every command was completed; the rows above say which")
    return {
        "ok": True, "agent": agent, "commands": len(commands), "results": len(results), "sessions": len(sessions),
    }  # fmt: skip
