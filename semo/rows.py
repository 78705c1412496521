"""Looks at (and inserts) rows the way a person does in the Supabase dashboard: with the service key, past our API."""

from typing import Any

import httpx

from semo.folder import Status

_LATEST = 200


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
        base_url=f"{status.supabase_url}/rest/v1", headers={"apikey": key, "Authorization": f"Bearer {key}"}
    )
