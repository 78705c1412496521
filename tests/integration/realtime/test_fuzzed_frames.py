"""Whatever arrives at the websocket: its socket goes on, and so do all others; nothing is logged as a defect."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local_supabase.realtime.config import Limits
from tests.integration.realtime.gateway import Gateway, running_gateway
from tests.integration.realtime.wire import Wire, open_wire
from tests.support.embedded import EmbeddedPostgres

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOPIC = "realtime:room"
AT_ONCE = timedelta(milliseconds=1)
PATIENT = Limits(events_per_second=100_000, joins_per_second=100_000, join_denial_delay=AT_ONCE)
HALF = '"\\ud800"'
DEEP = 5_000


@dataclass
class Hall:
    """A gateway, somebody in it who does nothing wrong, and one who does."""

    gateway: Gateway
    witness: Wire
    defects: list[str]
    _open: AsyncExitStack
    culprit: Wire | None = None
    rooms: int = field(default=0)

    async def throw(self, *frames: str | bytes) -> None:
        """Sends the frames on one socket, which then must answer as before, and so must the witness's."""
        if self.culprit is None:
            self.culprit = await self._open.enter_async_context(open_wire(self.gateway))
        for frame in frames:
            await self.culprit.connection.send(frame)
        await asyncio.wait_for(self.culprit.heartbeat(), 60)
        self.culprit.waiting()
        self.rooms += 1
        await self.witness.send(
            TOPIC, "broadcast", {"type": "broadcast", "event": "e", "payload": {"n": self.rooms}}, None
        )
        while not _says(await self.witness.frame(TOPIC), self.rooms):
            pass  # what the culprit said, if it was let in
        assert self.defects == []


def _says(frame: dict[str, Any], number: int) -> bool:
    payload: Any = frame["payload"]
    return isinstance(payload, dict) and cast("dict[str, Any]", payload).get("payload") == {"n": number}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Hall]:
    defects: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: defects.append(str(context)))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(embedded_postgres.fresh_database(migrated=False))
        gateway = await stack.enter_async_context(running_gateway(database, embedded_postgres.keys, PATIENT))
        await gateway.execute("create table public.things (id int primary key, n text)")
        await gateway.execute("grant all on public.things to anon")
        witness = await stack.enter_async_context(open_wire(gateway))
        assert (await witness.join(TOPIC, broadcast={"self": True}))["payload"]["status"] == "ok"
        yield Hall(gateway, witness, defects, stack)
    loop.set_exception_handler(None)


def nested(opening: str, closing: str, levels: int) -> str:
    return opening * levels + closing * levels


odd_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\x00", "a" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
events = st.sampled_from(["phx_join", "phx_leave", "heartbeat", "access_token", "broadcast", "presence", "phx_close"])
topics = st.sampled_from([TOPIC, "realtime:other", "realtime:", "phoenix", "realtime:public:things"])
bindings = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["INSERT", "*", "FOO"]) | odd_json,
        "schema": st.sampled_from(["public", "*", "nowhere"]) | odd_json,
        "table": st.sampled_from(["things", "*", "nothing"]) | odd_json,
        "filter": st.sampled_from(["id=eq.1", "id=in.(1,2)", "n=like.a", "id=eq.x", "=", "id=eq.\x00"]) | odd_json,
        "select": odd_json,
    },
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "broadcast": st.fixed_dictionaries({}, optional={"self": odd_json, "ack": odd_json, "replay": odd_json})
        | odd_json,
        "presence": odd_json,
        "private": st.booleans() | odd_json,
        "postgres_changes": st.lists(bindings, max_size=3) | odd_json,
    },
)
joins = st.fixed_dictionaries(
    {"config": configs | odd_json}, optional={"access_token": odd_json, "user_token": odd_json}
)
frames = st.fixed_dictionaries(
    {"topic": topics | odd_json, "event": events | odd_json, "payload": joins | odd_json, "ref": odd_json},
    optional={"join_ref": odd_json},
)


def as_text(value: Any) -> str:
    """As a careless client writes it: half characters as they are, NaN and infinities, too."""
    return json.dumps(value)


BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@BOUNDED
@given(st.lists(frames.map(as_text), min_size=1, max_size=5))
async def test_frames_with_anything_in_them(hall: Hall, thrown: list[str]) -> None:
    await hall.throw(*thrown)


@BOUNDED
@given(
    st.lists(
        st.text(max_size=200).filter(lambda text: text.isprintable() or text.isascii()) | st.binary(max_size=200),
        max_size=8,
    )
)
@example([nested("[", "]", DEEP)])
@example([nested('{"a":', "}", DEEP)])
@example(["[" * DEEP, "null", '"', "{}", "[]", "0", "1e999", "-" * DEEP])
async def test_frames_that_are_none(hall: Hall, thrown: list[str | bytes]) -> None:
    await hall.throw(*thrown)


@pytest.mark.parametrize(
    "inside",
    [HALF, nested("[", "]", 900), nested('{"a":', "1}", 300).replace("1}", "}", 299), nested("[", "]", 300), "NaN",
     "-Infinity", "1" + "0" * 400, "1" + "0" * 5000, '"\\u0000"', '"' + "x" * 100_000 + '"'],
    ids=["half a character", "900 levels", "objects", "300 levels", "nan", "infinity", "big", "bigger", "nul", "long"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["payload", "ref", "join_ref", "topic", "event", "config", "access_token", "filter"])
async def test_what_once_killed_a_socket_anywhere_in_a_frame(hall: Hall, inside: str, place: str) -> None:
    fields = {"topic": f'"{TOPIC}"', "event": '"broadcast"', "payload": "{}", "ref": '"1"', "join_ref": '"1"'}
    if place in fields:
        fields[place] = inside
    else:
        filtered = f'{{"postgres_changes":[{{"event":"*","schema":"public","table":"things","filter":{inside}}}]}}'
        payload = {"config": f'{{"config":{inside}}}', "access_token": f'{{"config":{{}},"access_token":{inside}}}',
                   "filter": f'{{"config":{filtered}}}'}  # fmt: skip
        fields |= {"event": '"phx_join"', "payload": payload[place]}
    await hall.throw("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}")
