"""What offices asked of this machine in the last hour and what came of it, for the person who sits at it.

Kept in memory and in a file beside the journal; what cannot be written there is forgotten when the process ends.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

import structlog

from remote_client.commands import Command, Completion
from shared.local import Asked, AskedStatus, read_as
from shared.states import CommandType

log = structlog.get_logger(__name__)

KEPT = timedelta(hours=1)
MOST_KEPT = 500
TEXT_MAX = 500
FILE_MAX_BYTES = 4_194_304

_Key = tuple[str, int]


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    def __init__(self, path: Path, now: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._now = now
        self._entries: dict[_Key, Asked] = {}
        self._file: TextIOWrapper | None = None
        self._full = False
        self._read()

    def begins(self, command: Command) -> None:
        """It was claimed, or is taken up from an earlier process of this client."""
        key = (str(command.command_id), command.attempt)
        known = self._entries.get(key)
        self._put(
            Asked(
                command_id=key[0],
                attempt=command.attempt,
                office_id=str(command.office_id),
                session_id=str(command.session_id) if command.session_id else None,
                kind=str(command.command_type),
                text=_text_of(command),
                author=command.author,
                at=known.at if known is not None else self._now().isoformat(),
                status="running",
            )
        )

    def finished(self, command: Command, completion: Completion) -> None:
        session = str((completion.result or {}).get("session_id") or "") or None
        self._end(command, "done" if completion.success else "failed", completion.error_code, completion.error, session)

    def let_go(self, command: Command) -> None:
        """It ended here without a result."""
        entry = self._entries.get((str(command.command_id), command.attempt))
        if entry is not None and entry.status == "running":
            self._end(command, "given_back")

    def _end(
        self,
        command: Command,
        status: AskedStatus,
        code: str | None = None,
        error: str | None = None,
        session: str | None = None,
    ) -> None:
        entry = self._entries.get((str(command.command_id), command.attempt))
        if entry is not None:
            self._put(
                replace(
                    entry,
                    status=status,
                    ended_at=self._now().isoformat(),
                    error_code=code,
                    error=_bounded(error) if error else None,
                    session_id=entry.session_id or session,
                )
            )

    def last_hour(self) -> list[Asked]:
        """The newest first."""
        self._forget_old()
        return sorted(self._entries.values(), key=lambda entry: entry.at, reverse=True)

    def running(self) -> list[Asked]:
        """The oldest first."""
        return [entry for entry in self._entries.values() if entry.status == "running"]

    def of(self, command_id: str, attempt: int) -> Asked | None:
        return self._entries.get((command_id, attempt))

    # The file ---------------------------------------------------------------------------------------------------------

    def _put(self, entry: Asked) -> None:
        self._entries[entry.command_id, entry.attempt] = entry
        try:
            if self._file is None or self._file.tell() > FILE_MAX_BYTES:
                self._write_anew()
                return
            self._file.write(json.dumps(asdict(entry)) + "\n")
            self._file.flush()
            self._full = False
        except OSError as error:
            if not self._full:
                log.warning("what was asked is not noted for the window", error=str(error))
            self._full = True
            self.close()

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _read(self) -> None:
        try:
            lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):  # the last one may be half of itself
                entry = read_as(Asked, json.loads(line))
                self._entries[entry.command_id, entry.attempt] = entry
        # What ran when the process ended is taken up again, or is the next process's to tell.
        ended = self._now().isoformat()
        self._entries = {
            key: replace(entry, status="given_back", ended_at=ended) if entry.status == "running" else entry
            for key, entry in self._entries.items()
        }
        self._forget_old()

    def _write_anew(self) -> None:
        self.close()
        self._forget_old()
        draft = self._path.with_suffix(".new")
        draft.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in self._entries.values()))
        draft.chmod(0o600)
        draft.replace(self._path)
        self._file = self._path.open("a")

    def _forget_old(self) -> None:
        since = (self._now() - KEPT).isoformat()
        for key in [key for key, entry in self._entries.items() if entry.status != "running" and entry.at < since]:
            del self._entries[key]
        for key in list(self._entries)[: max(0, len(self._entries) - MOST_KEPT)]:
            del self._entries[key]


def _text_of(command: Command) -> str:
    payload = cast("Any", command.payload)
    if not isinstance(payload, dict):
        return _bounded(str(payload))  # the row of a hostile office, which is refused when it is its turn
    payload = cast("dict[str, Any]", payload)
    match command.command_type:
        case CommandType.SEND_PROMPT | CommandType.SEND_TEXT:
            return _bounded(str(payload.get("text") or ""))
        case CommandType.SEND_KEYS:
            keys: object = payload.get("keys") or []
            return _bounded(" ".join(map(str, cast("list[object]", keys))) if isinstance(keys, list) else str(keys))
        case _:
            return _bounded(", ".join(f"{name}: {value}" for name, value in payload.items() if value is not None))


def _bounded(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"
