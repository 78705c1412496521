"""The machines of an office, for its admins: who there is, letting one in, renaming, draining and shutting out."""

from typing import Any
from uuid import UUID

import segno
from rich.table import Table

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

Row = dict[str, Any]


async def invite(api: OfficeApi, *, as_json: bool) -> None:
    """Prints a new code as text, command and picture; as JSON, all that the API says."""
    made: Row = await api.post("/enrollments", {})
    if as_json:
        console.machine(made)
        return
    console.good(f"{made['code']} lets one machine in, until {made['expires_at'][11:16]} UTC. On that machine:")
    console.out.print(f"\n    {made['command']}\n", markup=False)
    console.step("or the page that the picture leads to:")
    console.out.print(f"  {made['link']}\n", markup=False)
    if console.out.is_terminal:
        segno.make(made["link"], error="m", micro=False).terminal(border=2, compact=True)


async def show(api: OfficeApi, *, as_json: bool) -> None:
    clients: list[Row] = (await api.get("/clients"))["clients"]
    if as_json:
        console.machine(clients)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "state", "since", "agents", "id"):
        table.add_column(column, no_wrap=column != "agents")
    for client in clients:
        state, since = _state(client)
        agents = ", ".join(sorted(client["capabilities"].get("agents", {})))
        table.add_row(_plain(client["name"]), state, _moment(since), _plain(agents), client["id"])
    if clients:
        console.table(table)
    else:
        console.step("no machine has joined this office yet; let one in with: semo clients invite")


async def rename(api: OfficeApi, which: str, name: str) -> None:
    client = await _the(api, which)
    await api.patch(f"/clients/{client['id']}", {"name": name})
    console.good(f"{client['name']} is called {name} now")


async def drain(api: OfficeApi, which: str, *, off: bool) -> None:
    client = await _the(api, which)
    await api.patch(f"/clients/{client['id']}", {"draining": not off})
    if off:
        console.good(f"{client['name']} takes new work again")
    else:
        console.good(f"{client['name']} takes no new work and finishes what it has")
        console.step(f"undo it with: semo clients drain {client['name']} --off")


async def revoke(api: OfficeApi, which: str) -> None:
    client = await _the(api, which)
    await api.delete(f"/clients/{client['id']}")
    console.good(f"{client['name']} is shut out: at once from the tables, within a minute from Realtime")
    console.step("prompts that ran there are reported lost, what it had not begun is offered to others")
    console.step(
        "what becomes of its running turns, its own policy says (on_revoked); it needs a new code to come back"
    )


async def _the(api: OfficeApi, which: str) -> Row:
    """The client of that id, of the beginning of one, or of that name.

    Raises:
        SemoError: there is none, or more than one.
    """
    clients: list[Row] = (await api.get("/clients"))["clients"]
    living = [client for client in clients if client["revoked_at"] is None]
    found = [client for client in living if client["name"] == which] or [
        client for client in living if _is_id(which, client["id"])
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(client["id"] for client in found)
        raise SemoError(f"{len(found)} machines are meant by {which!r}", do=f"say which: {ids}", exit_code=Exit.USAGE)
    names = ", ".join(_plain(client["name"]) for client in living) or "none"
    raise SemoError(f"there is no machine {which!r} in this office", do=f"there are: {names}", exit_code=Exit.REFUSED)


def _is_id(text: str, client_id: str) -> bool:
    return str(UUID(client_id)).startswith(text.lower()) and len(text) >= 4


def _state(client: Row) -> tuple[str, str | None]:
    if client["revoked_at"]:
        return "revoked", client["revoked_at"]
    if client["draining_since"]:
        return f"draining, {client['connection']}", client["draining_since"]
    if client.get("paused_since"):
        return f"paused there, {client['connection']}", client["paused_since"]
    return client["connection"], client["connection_since"]


def _moment(at: str | None) -> str:
    return f"{at[:16].replace('T', ' ')} UTC" if at else "never seen"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
