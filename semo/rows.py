"""Looks at (and inserts) rows the way a person does in the Supabase dashboard: with the service key, past our API."""

import json
from datetime import datetime
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from semo import console
from semo.folder import Status
from shared.tls import tls_for

_LATEST = 200
_WIDE = 110
_TELLING = ("role", "outcome", "marker", "commits")


async def command_rows(status: Status) -> list[dict[str, Any]]:
    """The newest commands of the office, oldest first."""
    return await _rows(status, "agent_commands", order="seq.asc")


async def result_rows(status: Status) -> list[dict[str, Any]]:
    return await _rows(status, "agent_command_results", order="created_at.asc")


async def insert_by_hand(status: Status, role: str, prompt: str) -> str:
    """Inserts one `send_prompt` row as `service_role` and returns the command's id."""
    row = {"office_id": status.office_id, "command_type": "send_prompt", "payload": {"role": role, "text": prompt}}
    async with _rest(status) as rest:
        response = await rest.post("/agent_commands", json=row, headers={"Prefer": "return=representation"})
        response.raise_for_status()
        return str(response.json()[0]["id"])


def show_commands(rows: list[dict[str, Any]]) -> None:
    """Prints rows of `agent_commands`: the columns that tell a story, and more of them where there is room."""
    table = _table("agent_commands", "id", "command_type", "status", "created_at", "typed_at", "finished_at")
    is_wide = console.out.width >= _WIDE
    if is_wide:
        table.add_column("session_id", no_wrap=True)
        _add_the_rest(table, "payload")
    for row in rows:
        cells = [_short(row["id"]), row["command_type"], row["status"]]
        cells += [_clock(row[column]) for column in ("created_at", "typed_at", "finished_at")]
        if is_wide:
            cells += [_short(row["session_id"] or ""), _json(row["payload"])]
        table.add_row(*map(escape, cells))
    console.table(table)


def show_results(rows: list[dict[str, Any]]) -> None:
    """Prints rows of `agent_command_results`."""
    table = _table("agent_command_results", "command_id", "attempt", "success")
    _add_the_rest(table, "result")
    for row in rows:
        came_of_it = _json(row["result"]) if row["success"] else f"{row['error_code']}: {row['error']}"
        cells = (_short(row["command_id"]), str(row["attempt"]), str(row["success"]).lower(), came_of_it)
        table.add_row(*map(escape, cells))
    console.table(table)


def _table(title: str, *columns: str) -> Table:
    """None of `columns` is ever cut; what `_add_the_rest` adds takes the room that is left."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False, pad_edge=False,
        collapse_padding=True,
    )  # fmt: skip
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _add_the_rest(table: Table, column: str) -> None:
    table.expand = True
    table.add_column(column, no_wrap=True, ratio=1)


def _json(value: dict[str, Any]) -> str:
    """On one line, what tells most first."""
    known = {name: value[name] for name in _TELLING if name in value}
    return json.dumps({**known, **value}, separators=(",", ":"), ensure_ascii=False)


def _short(identifier: str) -> str:
    return identifier[:8]


def _clock(moment: str | None) -> str:
    return datetime.fromisoformat(moment).strftime("%H:%M:%S.%f")[:-3] if moment else ""


async def _rows(status: Status, table: str, order: str) -> list[dict[str, Any]]:
    async with _rest(status) as rest:
        params = {"office_id": f"eq.{status.office_id}", "order": order, "limit": _LATEST}
        response = await rest.get(f"/{table}", params=params)
        response.raise_for_status()
        rows: list[dict[str, Any]] = response.json()
        return rows


def _rest(status: Status) -> httpx.AsyncClient:
    key = status.service_role_key
    return httpx.AsyncClient(
        base_url=f"{status.supabase_url}/rest/v1",
        headers={"apikey": key, "Authorization": f"Bearer {key}"},
        verify=tls_for(status.supabase_url),
    )
