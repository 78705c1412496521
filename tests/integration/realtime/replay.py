"""Plays a recorded session with the real Realtime against ours and compares what is answered.

The order of frames is held for each topic of each socket. Ids, refs of rows and times are compared by what they
stand for: the same recorded id must always meet the same id of ours.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from websockets.exceptions import InvalidStatus

from tests.integration.realtime.correspondence import Correspondence
from tests.integration.realtime.gateway import FIXTURES, Gateway, mint
from tests.integration.realtime.wire import Frame, Wire, open_wire

SHORT_LIFE_SECONDS = 0.5
Line = dict[str, Any]

_TOKEN = re.compile(r"<jwt (.*)>", re.DOTALL)
_LONG_TEXT = re.compile(r"(.)\1{79}\.\.\.<(\d+) chars>")
_ANSWERS = ("handshake_rejected", "http", "s>c")
_USER = {"sub": "00000000-0000-0000-0000-00000000000a", "office_id": "A"}


def cases() -> list[str]:
    return sorted(path.stem for path in FIXTURES.glob("*.jsonl"))


class Replay:
    """One case. `play` raises AssertionError at the first difference, and says how many answers were the same."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self._gateway = gateway
        self._lines: list[Line] = [
            json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().rstrip("\n").split("\n")
        ]
        self._started = datetime.fromisoformat(self._lines[0]["start"]).timestamp()
        self._now = self._started
        self._marker = ""
        self._wires: dict[str, Wire] = {}
        self._tokens: dict[str, str] = {}
        self._same = Correspondence()
        self._refused: InvalidStatus | None = None
        self._stack = AsyncExitStack()

    async def play(self) -> int:
        answers = 0
        async with self._stack:
            self._fence = await self._stack.enter_async_context(open_wire(self._gateway))
            await self._raise_fence()
            for line in self._lines[1:]:
                self._now = self._started + line["t_ms"] / 1000
                kind = line.get("kind", line["dir"])
                step: Callable[[Line], Awaitable[None]] = {
                    "marker": self._mark, "connect": self._connect, "open": self._opened,
                    "handshake_rejected": self._rejected, "sql": self._sql, "http": self._http,
                    "c>s": self._send, "s>c": self._expect, "socket_closed": self._close,
                }[kind]  # fmt: skip
                await step(line)
                answers += kind in _ANSWERS
            assert not self._wires
        return answers

    async def _mark(self, line: Line) -> None:
        self._marker = line["text"]

    async def _connect(self, line: Line) -> None:
        query = line.get("query", {"apikey": '<jwt {"role": "anon", "exp": 9999999999}>'})
        try:
            self._wires[line["sock"]] = await self._stack.enter_async_context(
                open_wire(self._gateway, urlencode({key: self._filled(value) for key, value in query.items()}))
            )
        except InvalidStatus as refused:
            self._refused = refused

    async def _opened(self, line: Line) -> None:
        assert line["sock"] in self._wires, self._refused

    async def _rejected(self, line: Line) -> None:
        assert self._refused is not None, f"{self._marker}: was let in"
        response = self._refused.response
        assert (response.status_code, bytes(response.body).decode()) == (line["status"], line["body"])
        self._refused = None

    async def _sql(self, line: Line) -> None:
        await self._gateway.execute(line["sql"])
        await self._pass_fence()

    async def _http(self, line: Line) -> None:
        key = self._gateway.keys.publishable_key
        match line["what"]:
            case "private as user":
                key = self._gateway.token(**_USER)
            case "private as service_role":
                key = self._gateway.keys.service_role_key
            case "bad key":
                key = "nonsense"
            case _:
                pass
        async with httpx.AsyncClient() as client:
            response = await client.post(
                f"{self._gateway.url}/realtime/v1/api/broadcast", json=line["request"], headers={"apikey": key}
            )
        assert (response.status_code, response.text) == (line["status"], line["body"])

    async def _send(self, line: Line) -> None:
        text = line["text"] if "text" in line else json.dumps(self._filled(line["frame"]))
        await self._wires[line["sock"]].send_text(text)

    async def _expect(self, line: Line) -> None:
        expected: Frame = self._filled(line["frame"])
        arrived = await self._wires[line["sock"]].frame(expected["topic"])
        self._same.check(expected, arrived, self._marker)

    async def _close(self, line: Line) -> None:
        """The last look: whatever was caused so far has arrived, and nothing of it was unexpected."""
        await self._pass_fence()
        wire = self._wires.pop(line["sock"])
        await wire.heartbeat()
        unexpected = [frame for frame in wire.waiting() if "semo_fence" not in json.dumps(frame)]
        assert unexpected == [], f"{line['sock']} after {self._marker!r}"
        await wire.connection.close()

    async def _raise_fence(self) -> None:
        """A table of our own, whose changes come after all others: when one was seen, the others were."""
        await self._gateway.execute(
            "create table semo_fence (id int generated always as identity primary key);"
            "alter publication supabase_realtime add table semo_fence"
        )
        await self._fence.join("realtime:fence", postgres_changes=[{"schema": "public", "table": "semo_fence"}])
        assert (await self._fence.frame("realtime:fence"))["payload"]["status"] == "ok"

    async def _pass_fence(self) -> None:
        await self._gateway.execute("insert into semo_fence default values")
        assert (await self._fence.frame("realtime:fence"))["event"] == "postgres_changes"

    def _filled(self, value: Any) -> Any:
        """Puts real tokens and long texts where the recording has a note of them."""
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in cast("Line", value).items()}
        if isinstance(value, list):
            return [self._filled(each) for each in cast("list[Any]", value)]
        if not isinstance(value, str):
            return value
        if token := _TOKEN.fullmatch(value):
            return self._token(token[1])
        return _LONG_TEXT.sub(lambda found: found[1] * int(found[2]), value)

    def _token(self, described: str) -> str:
        """The same token for the same description; times are moved from then to now, short lives made shorter."""
        claims = json.loads(described)
        if "undecodable" in claims:
            return claims["undecodable"]
        if described not in self._tokens:
            if "exp" in claims:
                left = claims["exp"] - self._now
                claims["exp"] = time.time() + (SHORT_LIFE_SECONDS if 0 < left < 10 else left)
            forged = self._marker == "wrong_sig" and "sub" not in claims
            self._tokens[described] = mint("x" * 40 if forged else self._gateway.keys.jwt_secret, claims)
        return self._tokens[described]
