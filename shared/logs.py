"""How each of our processes logs: readable lines for a person at a terminal, one line of JSON for everybody else.

An exception is shown with its traceback and never with its variables: those hold keys.
"""

import logging
import os
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "text"]
"""auto: text at a terminal, JSON elsewhere."""

_EVENT_COLUMNS = 24


def configure(stream: TextIO, log_format: LogFormat = "auto", level: int = logging.INFO) -> None:
    """Has everything that goes through structlog written to `stream`, from `level` on."""
    at_terminal = stream.isatty()
    as_text = log_format == "text" or (log_format == "auto" and at_terminal)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *(_for_people(colours=at_terminal and not os.environ.get("NO_COLOR")) if as_text else _for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Forgiving(stream))),
    )


class _Forgiving:
    """A log that cannot be written (its disk is full) must not end what it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]


def _for_people(*, colours: bool) -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _on_one_line,
        structlog.dev.ConsoleRenderer(
            colors=colours,
            pad_event_to=_EVENT_COLUMNS,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What an agent or an office said may hold anything that a terminal obeys."""
    return {name: _plain(value) if isinstance(value, str) else value for name, value in event.items()}


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
