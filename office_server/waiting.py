"""Why a command waits, in words, and what can be done about it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field


class Waiting(BaseModel):
    reason: str = Field(examples=["no_client_online"], description="stable")
    detail: str = Field(examples=["No machine that could take this is online: macbook-3 since 2026-11-21 12:04 UTC."])
    advice: str | None = Field(description="what to do about it; null: nothing, it goes on by itself")
    clients: list[dict[str, Any]] = Field(
        description="the machines that it is about: name, online, last_seen_at, and what keeps each: offline,"
        " not_capable, no_repository, draining, paused, busy, circuit_open, low_memory, agent_overloaded,"
        " agent_quota, or null"
    )


_SENTENCES = {
    "no_client": ("No machine has joined this office yet.", "let one in: semo clients invite"),
    "no_client_online": (
        "No machine that could take this is online: {away}.",
        "it runs when one returns; to start a client there: semo client start",
    ),
    "no_client_capable": (
        "No machine that is online has {wanted}: {names}.",
        "allow it in the policy of a machine (docs/policy.md), or ask for what is there",
    ),
    "no_repository": (
        "The repository of this office is not on any machine that is online: {repositories}.",
        "name it in the policy of a machine ([[repositories]], docs/policy.md), or wait for one that has it",
    ),
    "all_clients_busy": ("All sessions are taken on {names}; it starts when one is free.", None),
    "circuit_open": (
        "Sessions of this role could not be made on {names}; it is tried again every minute.",
        "semo status says what went wrong",
    ),
    "low_memory": (
        "There is no memory for another session on {names}.",
        "end something there, or let in another machine",
    ),
    "draining": ("An admin has {names} take no new work.", "to let it: semo clients drain NAME --off"),
    "paused": ("The user of {names} lets it take no new work.", "to let it, on that machine: semo client resume"),
    "agent_overloaded": (
        "The service of its agent is overloaded; it is left in peace for a while on {names}.",
        None,
    ),
    "agent_quota": (
        "The quota of its agent is used up on {names}; it is tried again after a while.",
        "ask for another agent, or raise the quota",
    ),
    "office_full": (
        "The office has as many sessions in use as it allows; it starts when one is free.",
        "the limit is in the office's settings",
    ),
    "behind_another_command": ("An earlier command of the same session comes first.", None),
    "not_before": ("Its last try failed; the next one begins after a pause.", None),
    "deadline_passed": ("Its deadline has passed; it expires.", None),
}
_OF_A_CLIENT = {"all_clients_busy": "busy"}
"""What keeps each machine, where that has another name than what keeps the command."""


def in_words(found: dict[str, Any] | None, payload: Mapping[str, Any] | None = None) -> Waiting | None:
    """What the database answered, for people; None when nothing holds the command back.

    `payload`: of the command, which says what of a machine it wants.
    """
    if found is None:
        return None
    reason: str = found["reason"]
    clients: list[dict[str, Any]] = found["clients"]
    sentence, advice = _SENTENCES.get(reason, (f"It waits: {reason}.", None))
    detail = sentence.format(
        names=_names(clients, _OF_A_CLIENT.get(reason, reason)),
        away=", ".join(_away(client) for client in clients),
        wanted=_wanted(payload or {}),
        repositories=", ".join(
            without_repository(client["name"], client.get("repository"))
            for client in clients
            if client.get("reason") == "no_repository"
        ),
    )
    return Waiting(reason=reason, detail=detail, advice=advice, clients=clients)


def without_repository(machine: str, repository: Mapping[str, Any] | None) -> str:
    """What a machine lacks that has no repository for an office: the name of it where its policy says one."""
    if repository is None:
        return f"the policy of {machine} names none for it"
    return f"{repository['path']} is not there on {machine}"


def _wanted(payload: Mapping[str, Any]) -> str:
    agent = f"the agent {payload['agent']}" if payload.get("agent") else "an agent that it uses when none is named"
    return f"{agent} with the MCP configuration {payload['mcp']}" if payload.get("mcp") else agent


def _away(client: dict[str, Any]) -> str:
    seen = client.get("last_seen_at")
    return f"{client['name']} since {str(seen)[:16].replace('T', ' ')} UTC" if seen else f"{client['name']} never was"


def _names(clients: list[dict[str, Any]], reason: str) -> str:
    """Of those that are online, the ones that the reason keeps, if the database told."""
    kept = [client for client in clients if client["online"] and client.get("reason") == reason]
    return ", ".join(str(client["name"]) for client in kept or clients if client["online"])
