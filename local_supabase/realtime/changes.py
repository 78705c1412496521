"""Turns one row change into what each subscriber is sent: who sees it, which columns, and as which JSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from local_supabase.realtime.bindings import Binding, Filter
from local_supabase.realtime.pgoutput import RowChange
from local_supabase.realtime.protocol import dump
from local_supabase.realtime.sessions import Connection
from local_supabase.realtime.subscriptions import Subscriber, Subscription
from local_supabase.realtime.tables import Column, KnownTables, Table, to_json
from local_supabase.realtime.tokens import Token
from local_supabase.realtime.visibility import PolicyFailed, may_see, passed

NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key"
UNAUTHORIZED = "Error 401: Unauthorized"
TOO_LARGE = "Error 413: Payload Too Large"
POLICY_FAILED = "Error 500: Internal Server Error, RLS policy evaluation failed"
_SMALL_FIELD_BYTES = 64


@dataclass(frozen=True)
class Delivery:
    """One frame for one subscriber."""

    subscriber: Subscriber
    binding_ids: list[int]
    data_json: str


@dataclass(frozen=True)
class _Row:
    """A change with everything known that does not depend on who looks."""

    change: RowChange
    table: Table
    new: Mapping[str, str]
    old: Mapping[str, str]
    too_large: bool


async def deliveries(
    connection: Connection,
    change: RowChange,
    subscriptions: Mapping[Subscriber, Subscription],
    record_bytes: int,
    tables: KnownTables,
) -> list[Delivery]:
    """Every frame that `change` causes, by the rights that the subscribers have at this moment."""
    oid, action = change.relation.oid, change.action
    wanted = {who: what.of(oid, action) for who, what in subscriptions.items()}
    wanted = {who: bindings for who, bindings in wanted.items() if bindings}
    if not wanted:
        return []
    table = await tables.get(connection, oid, frozenset(subscriptions[who].token.role for who in wanted))
    if table is None:
        return []
    row = _Row(
        change,
        table,
        await to_json(connection, table, change.new),
        await to_json(connection, table, change.old),
        _size(change) > record_bytes,
    )
    values = change.old if action == "DELETE" else change.new
    filters = {each for bindings in wanted.values() for binding in bindings for each in binding.filters}
    satisfied = await passed(connection, table, filters, values)
    viewers = _Viewers(connection, row)
    found: list[Delivery] = []
    for who, bindings in wanted.items():
        error = await viewers.error_for(subscriptions[who].token, bindings, satisfied)
        if error is None:
            bindings = [each for each in bindings if satisfied.issuperset(each.filters)]
        if bindings and (error or await viewers.sees(subscriptions[who].token)):
            found += _frames(row, who, subscriptions[who].token.role, bindings, error)
    return found


class _Viewers:
    """Asks the database once for each user, however many of its channels look at the row."""

    def __init__(self, connection: Connection, row: _Row) -> None:
        self._connection = connection
        self._row = row
        self._answers: dict[tuple[str, str], bool | None] = {}

    async def error_for(self, token: Token, bindings: list[Binding], satisfied: set[Filter]) -> str | None:
        """What this user is told instead of the row."""
        if self._row.change.action == "DELETE":
            return None
        keys = self._row.table.keys
        if not keys:
            return NO_PRIMARY_KEY
        if not all(token.role in key.readers for key in keys):
            return UNAUTHORIZED
        if any(satisfied.issuperset(each.filters) for each in bindings) and await self._answer(token) is None:
            return POLICY_FAILED
        return None

    async def sees(self, token: Token) -> bool:
        return bool(await self._answer(token))

    async def _answer(self, token: Token) -> bool | None:
        """None when the policy failed. A DELETE is not secured: its row is gone, and its key alone is sent."""
        if not self._row.table.row_security or self._row.change.action == "DELETE":
            return True
        key = (token.role, token.claims_json)
        if key not in self._answers:
            try:
                answer = await may_see(self._connection, self._row.table, token, self._row.change.new)
            except PolicyFailed:
                answer = None
            self._answers[key] = answer
        return self._answers[key]


def _frames(
    row: _Row, subscriber: Subscriber, role: str, bindings: list[Binding], error: str | None
) -> Iterator[Delivery]:
    """One frame for each choice of columns, with the ids of all bindings that made it, the last one first."""
    ids_by_select: dict[tuple[str, ...] | None, list[int]] = {}
    for binding in reversed(bindings):
        ids_by_select.setdefault(binding.select, []).append(binding.id)
    for select, ids in ids_by_select.items():
        data = _refusal(row, error) if error else _data(row, role, select)
        yield Delivery(subscriber, ids, data)


def _data(row: _Row, role: str, select: tuple[str, ...] | None) -> str:
    shown = [
        column
        for column in row.table.columns
        if role in column.readers and (select is None or column.name in select or column.is_key)
    ]
    action, committed_at = row.change.action, row.change.committed_at
    parts = {"table": dump(row.table.name), "type": dump(action)}
    if action != "DELETE":
        parts["record"] = _record(row, shown, row.new)
    parts["columns"] = dump([{"name": column.name, "type": column.type_name} for column in shown])
    parts["errors"] = dump([TOO_LARGE]) if row.too_large else "null"
    parts["schema"] = dump(row.table.schema)
    parts["commit_timestamp"] = dump(committed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    if action != "INSERT":
        only_keys = action == "DELETE" and row.table.row_security
        parts["old_record"] = _record(row, [c for c in shown if c.is_key or not only_keys], row.old)
    return _object(parts.items())


def _refusal(row: _Row, error: str) -> str:
    action = row.change.action
    parts = {"table": dump(row.table.name), "type": dump(action), "record": "{}", "columns": "[]"}
    parts |= {"errors": dump([error]), "schema": dump(row.table.schema), "commit_timestamp": "null"}
    if action == "UPDATE":
        parts["old_record"] = "{}"
    return _object(parts.items())


def _record(row: _Row, shown: list[Column], values: Mapping[str, str]) -> str:
    """Keys in the order of `jsonb`: the shorter first."""
    names = sorted((column.name for column in shown if column.name in values), key=lambda name: (len(name), name))
    if row.too_large:
        names = [name for name in names if values[name] != "null" and len(values[name].encode()) <= _SMALL_FIELD_BYTES]
    return _object((name, values[name]) for name in names)


def _object(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{dump(name)}:{value}" for name, value in pairs) + "}"


def _size(change: RowChange) -> int:
    values = [*change.new.values(), *change.old.values()]
    return sum(len(value) for value in values if value is not None)
