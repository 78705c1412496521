"""Whatever is asked of the gateway's REST, Auth and broadcast: it is answered, and never as a defect of ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.embedded import EmbeddedPostgres
from tests.support.gateway import Project, running_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOUNDED = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DEEP = 3_000


class Desk:
    """The gateway, as somebody with its service key: all that the key's absence would stop gets through."""

    def __init__(self, project: Project, defects: list[str]) -> None:
        key = project.keys.service_role_key
        self._headers = {"apikey": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._project = project
        self._defects = defects

    async def ask(self, method: str, path: str, params: list[tuple[str, str]], body: bytes, **headers: str) -> None:
        """It is answered, with no status that says "our fault", and nothing was logged as a defect."""
        url = f"{self._project.url}/{path}?{urlencode(sendable(params))}" if params else f"{self._project.url}/{path}"
        answer = await self._project.http.request(method, url, content=body, headers=self._headers | headers)
        said: Any = answer.json() if answer.status_code >= 400 and method != "HEAD" else {}
        # 501: not served here; SQLSTATEs of class 54, such as "too deeply nested", are 500 at PostgREST as well.
        ours = answer.status_code >= 500 and answer.status_code != 501 and not str(said.get("code")).startswith("54")
        assert not ours, (method, url, body[:500], answer.status_code, answer.text)
        assert self._defects == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(embedded_postgres: EmbeddedPostgres) -> AsyncIterator[Desk]:
    defects: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: defects.append(str(context)))
    async with running_project(embedded_postgres) as project:
        yield Desk(project, defects)
    loop.set_exception_handler(None)


words = st.sampled_from(
    [
        "id",
        "name",
        "eq.",
        "eq.x",
        "in.(1,2)",
        "in.(",
        "not.is.null",
        "or",
        "and",
        "(a.eq.1,b.gt.2)",
        "*",
        "select",
        "order",
        "limit",
        "offset",
        "columns",
        "on_conflict",
        "name.desc.nullslast",
        "created_at",
        "cs.{1}",
        "cs.{",
        "like.*a*",
        "0",
        "-1",
        "99999999999999999999",
        "\x00",
        "a,b",
        "payload->>a",
        "payload->",
        '"',
        "'",
        "%",
        "offices(id)",
        "id::text",
        "count()",
    ]
)
text = words | st.text(max_size=30)
odd_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"])
THINGS = st.sampled_from(["offices", "agent_commands", "agent_personas", "nothing", "offices%00", "%ff"])
FUNCTIONS = st.sampled_from(["heartbeat", "pool_state", "register_client", "record_events", "echo_hint", "nothing"])
ARGUMENTS = st.sampled_from(["p_client", "p_epoch", "p_office", "p_events", "p_topic", "p_held"])
PREFER = st.sampled_from(
    [
        "",
        "return=representation",
        "count=exact",
        "resolution=merge-duplicates",
        "x=y",
        "handling=strict, max-affected=1",
    ]
)
MESSAGE = {"topic": text | odd_json, "event": text | odd_json, "payload": odd_json, "private": odd_json}
MESSAGES = st.lists(st.fixed_dictionaries({}, optional=MESSAGE), max_size=3)


def sendable(params: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Half characters cannot be said in an address."""
    return [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in params
    ]


bodies = odd_json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
NESTED = b"[" * DEEP + b"]" * DEEP
OBJECTS = b'{"name":' * DEEP + b"1" + b"}" * DEEP


@BOUNDED
@given(METHODS, THINGS, st.lists(st.tuples(text, text), max_size=4), bodies, PREFER)
@example("POST", "offices", [], NESTED, "")
@example("POST", "offices", [], OBJECTS, "")
@example("POST", "offices", [], b'{"name":"\\ud800"}', "")
@example("POST", "offices", [], b'{"name":"\\u0000"}', "")
@example("GET", "offices", [("name", "eq.\x00")], b"", "")
@example("GET", "offices", [("or", "(" * 500 + ")" * 500)], b"", "")
@example("GET", "offices", [("select", "name,\ud800".encode("utf-8", "replace").decode())], b"", "")
async def test_tables(
    desk: Desk, method: str, table: str, params: list[tuple[str, str]], body: bytes, prefer: str
) -> None:
    # Without a filter that matches nothing, a change would be one.
    nothing = [("id", "eq.00000000-0000-0000-0000-000000000000")] if method in ("PATCH", "DELETE") else []
    await desk.ask(method, f"rest/v1/{table}", params + nothing, body, **({"Prefer": prefer} if prefer else {}))


@BOUNDED
@given(st.sampled_from(["GET", "POST"]), FUNCTIONS, st.dictionaries(ARGUMENTS | text, odd_json, max_size=4))
@example("POST", "record_events", {"p_client": None, "p_epoch": 1, "p_events": {"a": "\ud800"}})
async def test_functions(desk: Desk, method: str, function: str, arguments: dict[str, Any]) -> None:
    body = json.dumps(arguments).encode() if method == "POST" else b""
    params = [(name, json.dumps(value)) for name, value in arguments.items()] if method == "GET" else []
    await desk.ask(method, f"rest/v1/rpc/{function}", params, body)


@BOUNDED
@given(
    st.sampled_from(
        [
            ("POST", "token?grant_type=password"),
            ("POST", "token?grant_type=refresh_token"),
            ("POST", "token?grant_type=x"),
            ("POST", "admin/users"),
            ("PUT", "admin/users/x"),
            ("GET", "admin/users"),
            ("GET", "user"),
            ("POST", "logout"),
        ]
    ),
    st.dictionaries(
        st.sampled_from(["email", "password", "refresh_token", "app_metadata", "user_metadata", "ban_duration", "id"])
        | text,
        odd_json | st.sampled_from(["a@b.c", "long enough a password", {"client_id": "x"}]),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode())
    | bodies,
)
@example(("POST", "admin/users"), NESTED)
@example(("POST", "token?grant_type=password"), b'{"email":"\\ud800","password":"\\u0000"}')
@example(("POST", "token?grant_type=password"), b'{"email":"a\\u0000@b.c","password":"x"}')
@example(("POST", "token?grant_type=refresh_token"), b'{"refresh_token":"\\u0000"}')
@example(("POST", "admin/users"), b'{"email":"n@b.c","password":"long enough","user_metadata":{"a":"\\u0000"}}')
async def test_auth(desk: Desk, where: tuple[str, str], body: bytes) -> None:
    await desk.ask(where[0], f"auth/v1/{where[1]}", [], body)


@BOUNDED
@given(
    st.fixed_dictionaries({"messages": MESSAGES | odd_json}).map(lambda value: json.dumps(value).encode()) | bodies,
)
@example(b'{"messages":[{"topic":"\\ud800","event":"e","payload":{}}]}')
@example(b'{"messages":[{"topic":"t","event":"e","payload":{"a":' + NESTED + b"}}]}")
@example(b'{"messages":[{"topic":"t\\u0000","event":"e","payload":{},"private":true}]}')
async def test_broadcasts(desk: Desk, body: bytes) -> None:
    await desk.ask("POST", "realtime/v1/api/broadcast", [], body)
