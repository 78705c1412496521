"""Every table, function and private channel, tried out by everybody there is: access.toml says what is expected,
docs/access.md what was found.

A try is undone. It is `yes` when rows of the office were seen or written, or the call went through the checks of who
asks; `no` when the rows stay out of sight or the function says no; `refused` when there is no such right at all.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from local_supabase.database import Database
from tests.integration.database.access import CALLERS, VERBS, Expected, Thing, expected
from tests.integration.database.full_office import FullOffice, full_office
from tests.integration.database.world import Caller, World, connect

pytestmark = pytest.mark.timeout(400)  # the first waits for all of it to be tried out: some twenty thousand queries

DOCUMENT = Path(__file__).parents[3] / "docs" / "access.md"
HERE = "tests/integration/database/access.toml"
WRITE = (
    "SEMO_WRITE_DOCS=1 .venv/bin/pytest tests/integration/database/test_access_matrix.py -k 'postgres18 and document'"
)
NO_RIGHT, NOT_FOUND, NOT_PERMITTED, REVOKED = "42501", "SO003", "SO005", "SO008"
SIGNS = {"yes": "●", "no": "·", "refused": ""}

HEAD = """# Who may do what

Written by `tests/integration/database/test_access_matrix.py` from what it found: each cell was tried out against a real
database, with the role and the claims that the caller has at Supabase. `access.toml` beside it says what is expected; a
table or function that is not expected there fails the test.

● it does it (select, update, delete: to rows of the office) · it may ask and gets nothing, or is told no; empty: it has
no such right at all. `own client` is the machine whose rows they are, `another client` one of the same office;
`elsewhere`: of another office; `stranger` is signed in and in no office."""

Cell = tuple[str, str, str]
"""What, by which verb, by whom."""

TABLES = """
  select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as name, c.oid,
    (select jsonb_object_agg(a.attname, a.attgenerated = '' and a.attidentity = '') from pg_attribute a
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'semo') and c.relkind in ('r', 'p', 'v', 'm') order by 1
"""
FUNCTIONS = """
  select p.proname as name, p.proargnames[1 : p.pronargs - p.pronargdefaults] as required,
    p.proargnames[1 : p.pronargs] as named
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'public' and p.prorettype <> 'trigger'::regtype order by 1
"""


@dataclass
class Matrix:
    """What was found; `unknown`: what no expectation names, with what to write."""

    cells: dict[Cell, str] = field(default_factory=dict[Cell, str])
    unknown: list[str] = field(default_factory=list[str])


class Trial:
    """Tries things out in one office, each time as if nothing had been tried before."""

    def __init__(self, world: World, full: FullOffice) -> None:
        self._world = world
        self._full = full
        self._ids: dict[str, str] = {
            "office": str(full.office), "client": str(full.client.id), "elsewhere": str(full.elsewhere),
            "command": str(full.command["id"]), "session": str(full.session), "turn": str(full.turn),
            "approval": str(full.approval),
            "answered": str(full.answered),
        }  # fmt: skip
        self._arguments: dict[str, str] = {
            "p_client": "$client", "p_epoch": str(full.client.epoch), "p_office": "$office", "p_session": "$session",
            "p_command": "$command", "p_attempt": str(full.command["attempt"]), "p_role": "BE", "p_agent": "shell",
            "p_pool": "cold", "p_status": "ready", "p_state": "live", "p_topic": "office:$office:commands",
            "p_success": "true", "p_error": "why", "p_error_code": "failed", "p_failures": "3",
            "p_open_seconds": "60",
            "p_capabilities": "{}", "p_capacity": "6", "p_version": "1", "p_leases": "[]", "p_steps": "[]",
            "p_chunks": "[]", "p_events": "[]", "p_code_hash": "$code", "p_user": "$user", "p_name": "x",
            "p_persona": "$id", "p_rendered": "words",
        }  # fmt: skip

    async def ready(self) -> None:
        """A user and a code for those that need one."""
        self._ids["user"] = str((await self._world.user()).user)
        self._ids["code"] = hashlib.sha256(b"7KQ2-M9FD").hexdigest()
        await self._world.owner.insert("enrollments", office_id=self._full.office, code_hash=self._ids["code"])

    def _filled(self, text: str, quoted: Callable[[str], str] = str) -> str:
        fresh = {"id": str(uuid.uuid4()), "hash": hashlib.sha256(uuid.uuid4().bytes).hexdigest()}
        return Template(text).substitute({name: quoted(value) for name, value in (self._ids | fresh).items()})

    def _sql(self, text: str) -> str:
        return self._filled(text, lambda value: f"'{value}'")

    async def _value(self, text: str) -> Any:
        is_question = text.startswith("select ")
        return await self._world.owner.value(self._sql(text)) if is_question else self._filled(text)

    def of_the_office(self, table: Thing, columns: Mapping[str, bool]) -> str | None:
        """The condition under which a row is the office's; None: nobody said."""
        if table.of is not None:
            return self._sql(table.of)
        named = next((n for n in ("office_id", "client_id", "session_id", "command_id") if n in columns), None)
        return self._sql(f"{named} = ${named.removesuffix('_id')}") if named else None

    def _insert(self, table: Thing, columns: Mapping[str, bool]) -> str:
        values = {"office_id": "$office"} if "office_id" in columns else {}
        values |= table.new or {}
        return self._sql(f"insert into {table.name} ({', '.join(values)}) values ({', '.join(values.values())})")  # noqa: S608

    async def has_rows(self, table: Thing, rows: str) -> bool:
        return bool(await self._world.owner.value(f"select count(*) from {table.name} where {rows}"))  # noqa: S608

    async def make_row(self, table: Thing, columns: Mapping[str, bool], rows: str) -> None:
        """If none is there and it was said how."""
        if table.new is not None and not await self.has_rows(table, rows):
            await self._world.owner.ask(self._insert(table, columns))

    async def touch(self, table: Thing, columns: Mapping[str, bool], rows: str, verb: str, caller: str) -> str:
        who = self._full.callers[caller]
        if verb == "insert":
            # Whoever lacks the right is refused before any value is looked at.
            query = self._insert(table, columns) if table.new else f"insert into {table.name} default values"
        elif verb == "update":
            changed = await self._writable_column(table, columns, who)
            query = f"update {table.name} set {changed} = {changed} where {rows}"  # noqa: S608
        else:
            query = f"{'select 1' if verb == 'select' else verb} from {table.name} where {rows}"  # noqa: S608
        return await self._outcome(who, query, counts=True)

    async def _writable_column(self, table: Thing, columns: Mapping[str, bool], who: Caller) -> str:
        able = "select has_column_privilege(%s, %s, %s, 'update')"
        plain = [name for name, settable in columns.items() if settable]
        for name in plain:
            if await self._world.owner.value(able, who.role, table.name, name):
                return name
        return plain[0]

    async def call(self, function: Thing, required: list[str], named: list[str], caller: str) -> str:
        known = self._arguments | dict(function.arguments)
        given = {name: await self._value(known[name]) for name in required if name in known}
        given |= {name: await self._value(text) for name, text in function.arguments.items() if name in named}
        arguments = ", ".join(f"{name} => %s" for name in required + [name for name in given if name not in required])
        values = [given.get(name) for name in required] + [given[name] for name in given if name not in required]
        query = f"select * from {function.name}({arguments})"  # noqa: S608
        outcome = await self._outcome(self._full.callers[caller], query, *values, counts=False)
        # Nobody asks who the service is: what it is told is about the values.
        return "yes" if caller == "service" and outcome != "refused" else outcome

    async def listen(self, topic: str, caller: str) -> str:
        """As the Realtime server finds out: by reading, as the caller, a message of the topic that is to be joined."""
        topic = self._filled(topic)
        connection = self._world.connection
        async with connection.transaction(force_rollback=True):
            await connection.execute(
                "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)", (topic,)
            )
            await connection.execute("select set_config('realtime.topic', %s, true)", (topic,))
            query = "select 1 from realtime.messages where topic = %s"
            return await self._outcome(self._full.callers[caller], query, topic, counts=True)

    async def send(self, topic: str, caller: str) -> str:
        query = "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)"
        connection = self._world.connection
        async with connection.transaction(force_rollback=True):
            await connection.execute("select set_config('realtime.topic', %s, true)", (self._filled(topic),))
            return await self._outcome(self._full.callers[caller], query, self._filled(topic), counts=True)

    async def _outcome(self, who: Caller, query: str, *values: Any, counts: bool) -> str:
        try:
            async with self._world.connection.transaction(force_rollback=True):
                touched = await who.count(query, *values)
        except psycopg.Error as error:
            if error.sqlstate == NO_RIGHT:
                return "no" if "row-level security" in str(error) else "refused"
            if error.sqlstate in (NOT_FOUND, NOT_PERMITTED, REVOKED):
                return "no"
            if (error.sqlstate or "").startswith("23" if counts else "SO"):
                return "yes"  # let in; it is the row, or its state, that does not fit
            return f"failed: {query}: {str(error).splitlines()[0]}"
        return "yes" if touched or not counts else "no"


async def _found(world: World, told: Expected) -> Matrix:
    matrix, trial = Matrix(), Trial(world, await full_office(world))
    await trial.ready()
    await _try_tables(matrix, trial, told, {row["name"]: row["columns"] for row in await world.owner.ask(TABLES)})
    for row in await world.owner.ask(FUNCTIONS):
        function = told.functions.get(row["name"])
        if function is None:
            matrix.unknown.append(f'function {row["name"]}: add [functions.{row["name"]}] with call = ["members"]')
            continue
        for caller in CALLERS:
            outcome = await trial.call(function, row["required"] or [], row["named"] or [], caller)
            matrix.cells[function.name, "call", caller] = outcome
    for topic in told.topics:
        for caller in CALLERS:
            matrix.cells[topic, "listen", caller] = await trial.listen(topic, caller)
            matrix.cells[topic, "send", caller] = await trial.send(topic, caller)
    matrix.unknown += [
        f"{thing}: say with which values it can be tried ({verb} by {caller} {found})"
        for (thing, verb, caller), found in matrix.cells.items()
        if found.startswith("failed")
    ]
    return matrix


async def _try_tables(matrix: Matrix, trial: Trial, told: Expected, there: Mapping[str, Mapping[str, bool]]) -> None:
    """`there`: the columns of each table, and whether they can be written."""
    rows_of = {name: trial.of_the_office(told.tables[name], there[name]) for name in told.tables if name in there}
    for name, rows in rows_of.items():
        if rows is not None:
            await trial.make_row(told.tables[name], there[name], rows)
    for name, columns in there.items():
        table, rows = told.tables.get(name), rows_of.get(name)
        if table is None:
            section = f'[tables."{name}"]' if "." in name else f"[tables.{name}]"
            matrix.unknown.append(f'table {name}: add {section} with select = ["members", "service"]')
        elif rows is None or not await trial.has_rows(table, rows):
            matrix.unknown.append(f'table {name} has no row of the office: add new = {{ column = "SQL" }}, or of')
        else:
            for verb in VERBS:
                for caller in CALLERS:
                    matrix.cells[name, verb, caller] = await trial.touch(table, columns, rows, verb, caller)


@pytest.fixture(scope="session")
def told() -> Expected:
    return expected()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def matrix(shared_database: Database, told: Expected) -> Matrix:
    async with connect(shared_database) as connection, connection.transaction(force_rollback=True):
        return await _found(World(connection), told)


def test_nothing_is_without_an_expectation(matrix: Matrix) -> None:
    assert not matrix.unknown, f"say who may do what in {HERE}:\n" + "\n".join(matrix.unknown)


def test_nothing_is_expected_that_is_not_there(matrix: Matrix, told: Expected) -> None:
    there = {thing for thing, _, _ in matrix.cells}
    assert {*told.tables, *told.functions, *told.topics} <= there, f"in {HERE}, and not in the database"


@pytest.mark.parametrize("kind", ["tables", "functions", "topics"])
def test_everybody_may_do_what_is_expected_and_nothing_else(matrix: Matrix, told: Expected, kind: str) -> None:
    things: dict[str, Thing] = getattr(told, kind)
    wrong = [
        f"{name}: {verb} by {caller}: {found}, expected {'yes' if caller in things[name].who(verb) else 'not'}"
        for (name, verb, caller), found in matrix.cells.items()
        if name in things and (found == "yes") != (caller in things[name].who(verb))
    ]
    assert not wrong, f"{HERE} says otherwise:\n" + "\n".join(wrong)


def test_anon_is_refused_everywhere(matrix: Matrix) -> None:
    let_in = [f"{thing}: {verb}" for (thing, verb, caller), found in matrix.cells.items()
              if caller == "anon" and found != "refused" and not thing.startswith("office:")]  # fmt: skip
    assert let_in == []


def test_the_document_shows_what_was_found(matrix: Matrix, told: Expected) -> None:
    text = _document(matrix, told)
    if os.environ.get("SEMO_WRITE_DOCS"):
        DOCUMENT.write_text(text)
    assert DOCUMENT.read_text() == text, f"docs/access.md shows something else; this writes it: {WRITE}"


def _document(matrix: Matrix, told: Expected) -> str:
    lines = [HEAD]
    for title, things, verbs in (
        ("Tables", told.tables, VERBS), ("Functions", told.functions, ("call",)),
        ("Private channels", told.topics, ("listen", "send")),
    ):  # fmt: skip
        lines += ["", f"## {title}", "", f"| | | {' | '.join(CALLERS)} |", "|---|---" + "|:-:" * len(CALLERS) + "|"]
        for name in sorted(things):
            for verb in verbs:
                signs = [SIGNS.get(matrix.cells.get((name, verb, caller), ""), "?") for caller in CALLERS]
                shown = f"`{Template(name).safe_substitute(office='{office_id}')}`" if verb == verbs[0] else ""
                lines.append(f"| {shown} | {verb} | {' | '.join(signs)} |")
    return "\n".join(lines) + "\n"
