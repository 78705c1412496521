"""What ends a socket, read from what the server or the library says, and how long to wait before the next one.

Realtime's replies carry their code before the first colon; `system` messages are told apart by their extension.
"""

import json
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from realtime import RealtimeSubscribeStates
from websockets.exceptions import ConnectionClosed, InvalidStatus


class Kind(StrEnum):
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    CLOSED = "closed"
    UNAVAILABLE = "unavailable"
    TOKEN = "token"  # noqa: S105  a word
    SECOND_PATH = "second_path"
    DENIED = "denied"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True)
class Patience:
    """The pause doubles from `first` to `longest` seconds while the same kind comes again."""

    first: float
    longest: float
    outlasts_an_outage: bool = False
    """Not cut short when the network is back."""


PATIENCE: dict[Kind, Patience] = {
    #                                        what it is, and what is done
    Kind.UNREACHABLE: Patience(0.25, 1.5),  # no connection; the network will be back
    Kind.SILENT: Patience(0.25, 1.5),  #      connected, and nothing comes: dropped, and another one made
    Kind.CLOSED: Patience(0.25, 1.5),  #      a closed channel never comes back: another one is made
    Kind.UNAVAILABLE: Patience(1, 5),  #      the server says that it cannot now; a failed join keeps it busy for 5 s
    Kind.TOKEN: Patience(0.25, 30, True),  #  the next join brings a new token
    Kind.SECOND_PATH: Patience(0.25, 30, True),  # the next join does without Postgres Changes
    Kind.DENIED: Patience(5, 60, True),  #    only somebody else can change that
    Kind.RATE_LIMITED: Patience(40, 80, True),  # asking more often makes it worse
}

_JOIN_CODES = {
    "Unauthorized": Kind.DENIED,
    "PrivateOnly": Kind.DENIED,
    "InvalidJWTToken": Kind.TOKEN,
    "JwtSignatureError": Kind.TOKEN,
    "MalformedJWT": Kind.TOKEN,
}


class Trouble(Exception):
    """A socket is over. `str()` says why, in words for a log."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def pause_seconds(kind: Kind, times: int) -> float:
    """Before the next try, when `kind` came `times` times in a row; not the same for all who wait."""
    patience = PATIENCE[kind]
    return min(patience.first * 2 ** min(times - 1, 16), patience.longest) * random.uniform(0.8, 1)  # noqa: S311


def of_handshake(error: Exception) -> Trouble:
    """Why the websocket was not opened."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        kind = Kind.UNAVAILABLE if status >= 500 else Kind.RATE_LIMITED if status == 429 else Kind.DENIED
        return Trouble(kind, f"the server refused the websocket with HTTP {status}")
    return Trouble(Kind.UNREACHABLE, f"no websocket ({type(error).__name__})")


def of_channel(status: RealtimeSubscribeStates, said: Exception | None) -> Trouble:
    """Why a channel is over; `said` is what the library passes with the status."""
    if status is RealtimeSubscribeStates.TIMED_OUT:
        return Trouble(Kind.SILENT, "the join was not answered")
    if status is RealtimeSubscribeStates.CLOSED:
        return Trouble(Kind.CLOSED, "the server closed the channel")
    if said is None or isinstance(said, ConnectionClosed):
        code = said.rcvd.code if said is not None and said.rcvd is not None else "no close frame"
        return Trouble(Kind.CLOSED, f"the websocket was closed ({code})")
    try:
        payload: object = json.loads(str(said))
    except ValueError:  # the library's own finding: the reply does not name the bindings that were asked for
        return Trouble(Kind.SECOND_PATH, str(said))
    return _of_payload(cast("dict[str, Any]", payload) if isinstance(payload, dict) else {})


def _of_payload(payload: dict[str, Any]) -> Trouble:
    if payload.get("extension") == "postgres_changes":
        return Trouble(Kind.SECOND_PATH, str(payload.get("message")))
    if "reason" not in payload:
        return Trouble(Kind.UNAVAILABLE, str(payload.get("message", "the server gave no reason")))
    reason = str(payload["reason"])
    code = reason.partition(":")[0]
    kind = Kind.RATE_LIMITED if code.endswith("RateLimitReached") else _JOIN_CODES.get(code, Kind.UNAVAILABLE)
    return Trouble(kind, reason)
