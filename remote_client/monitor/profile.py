"""What one kind of agent looks like in a terminal, as data: read from profiles/*.toml, extended by an office."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How to read one kind of agent. Made by `load_profile`."""

    agent: str


def load_profile(agent: str) -> Profile:
    """The profile of an agent; `generic` for one that has none of its own."""
    return Profile(agent)
