"""Which processes belong to a session: also those that nobody can list in time."""

import os
from uuid import uuid4

import pytest

from remote_client.ptyhost import processes
from shared.ids import SessionId


async def test_a_process_that_forks_and_ends_before_it_is_looked_at_does_not_hide_its_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = SessionId(uuid4())
    generations = iter(range(100, 105))
    alive = [next(generations)]

    def look(pid: int) -> list[bytes]:
        """Whoever is looked at has just ended, with a child of the same tag; the last one lives."""
        if pid not in alive:
            return []
        if (child := next(generations, None)) is not None:
            alive[:] = [child]
            return []
        return [processes._tag(session)]  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(os, "listdir", lambda _path: ["1", *map(str, alive)])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(processes, "_environment", look)
    monkeypatch.setattr(processes, "_stat", lambda pid: (b"S" if pid in alive else None, 1))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    assert await processes.strays([session]) == [104]
