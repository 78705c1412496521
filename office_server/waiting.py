"""Why a command waits, in words."""

from typing import Any

from pydantic import BaseModel, Field


class Waiting(BaseModel):
    reason: str = Field(examples=["no_client_online"], description="stable")
    detail: str = Field(examples=["No machine that could take this is online: macbook-3 since 2026-11-21 12:04 UTC."])
    clients: list[dict[str, Any]] = Field(
        description="the machines that it is about: name, online, last_seen_at, and what keeps each: offline,"
        " not_capable, draining, busy, circuit_open, low_memory, or null"
    )


_PLAIN = {
    "no_client": "No machine has joined this office yet; enrol one.",
    "office_full": "The office has as many sessions in use as it allows; it starts when one is free.",
    "behind_another_command": "An earlier command of the same session comes first.",
    "not_before": "Its last try failed; the next one begins after a pause.",
    "deadline_passed": "Its deadline has passed; it expires.",
}


def in_words(found: dict[str, Any] | None) -> Waiting | None:
    """What the database answered, for people; None when nothing holds the command back."""
    if found is None:
        return None
    clients: list[dict[str, Any]] = found["clients"]
    detail = _PLAIN.get(found["reason"])
    match found["reason"]:
        case "no_client_online":
            detail = f"No machine that could take this is online: {', '.join(_away(client) for client in clients)}."
        case "no_client_capable":
            detail = f"No machine that is online has that agent: {_names(clients)}."
        case "all_clients_busy":
            detail = f"All sessions are taken on {_names(clients, 'busy')}; it starts when one is free."
        case "circuit_open":
            names = _names(clients, "circuit_open")
            detail = f"Sessions of this role could not be made on {names}; it is tried again every minute."
        case "low_memory":
            detail = f"There is no memory for another session on {_names(clients, 'low_memory')}."
        case "draining":
            detail = f"An admin has {_names(clients, 'draining')} take no new work."
        case other:
            detail = detail or f"It waits: {other}."
    return Waiting(reason=found["reason"], detail=detail, clients=clients)


def _away(client: dict[str, Any]) -> str:
    seen = client.get("last_seen_at")
    return f"{client['name']} since {str(seen)[:16].replace('T', ' ')} UTC" if seen else f"{client['name']} never was"


def _names(clients: list[dict[str, Any]], reason: str | None = None) -> str:
    """Of those that are online; with `reason`, of those that it keeps, if the database told."""
    kept = [client for client in clients if client["online"] and client.get("reason") == reason]
    return ", ".join(str(client["name"]) for client in kept or clients if client["online"])
