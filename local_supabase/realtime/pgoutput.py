"""Decodes PostgreSQL's logical replication messages (pgoutput, protocol 1). Pure bytes in, rows out."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

Action = Literal["INSERT", "UPDATE", "DELETE"]
Values = dict[str, str | None]
"""Column name → PostgreSQL's text form, or None for NULL. A column that the stream left out is not in it."""


class UnexpectedMessage(Exception):
    """The server sent what protocol 1 does not have."""


@dataclass(frozen=True)
class Relation:
    """A table as the stream describes it, before its first change and again after each change of it."""

    oid: int
    schema: str
    name: str
    is_full: bool
    """REPLICA IDENTITY FULL: old rows come whole."""
    columns: tuple[str, ...]
    identity: frozenset[str]


@dataclass(frozen=True)
class RowChange:
    """One row's change. `old` holds what the table's replica identity keeps of the row before it."""

    relation: Relation
    action: Action
    committed_at: datetime
    new: Values
    old: Values


class Decoder:
    """Remembers the relations of one stream. `in_transaction` is False between a commit and the next begin."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._committed_at = _EPOCH
        self.in_transaction = False

    def decode(self, message: bytes) -> RowChange | None:
        """The row change in `message`, or None: a message about the transaction, a type, a table, a truncate.

        Raises:
            UnexpectedMessage: the message is none of protocol 1.
        """
        reader = _Reader(message)
        match reader.character():
            case "B":
                reader.skip(8)
                self._committed_at = _EPOCH + timedelta(microseconds=reader.integer("q"))
                self.in_transaction = True
            case "C":
                self.in_transaction = False
            case "R":
                relation = _relation(reader)
                self._relations[relation.oid] = relation
            case "I" | "U" | "D" as kind:
                return self._row_change(kind, reader)
            case "Y" | "O" | "T" | "M":
                pass
            case other:
                raise UnexpectedMessage(other)
        return None

    def _row_change(self, kind: str, reader: "_Reader") -> RowChange:
        relation = self._relations[reader.integer("I")]
        old: Values = {}
        part = reader.character()
        if part in "KO":
            old = _tuple(reader, relation)
            if part == "K":
                old = {name: value for name, value in old.items() if name in relation.identity}
        if kind == "D":
            return RowChange(relation, "DELETE", self._committed_at, {}, old)
        if part in "KO":
            reader.skip(1)
        new = _tuple(reader, relation)
        if kind == "I":
            return RowChange(relation, "INSERT", self._committed_at, new, {})
        # The stream leaves the old key out when it did not change, and repeats no unchanged big value.
        old = old or {name: new[name] for name in relation.identity if name in new}
        if relation.is_full:
            new = {name: new.get(name, old.get(name)) for name in relation.columns}
        return RowChange(relation, "UPDATE", self._committed_at, new, old)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def character(self) -> str:
        return self.take(1).decode("ascii")

    def integer(self, code: str) -> int:
        """`code` as in `struct`, always big-endian."""
        return struct.unpack(f">{code}", self.take(struct.calcsize(f">{code}")))[0]

    def string(self) -> str:
        end = self._data.index(0, self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def skip(self, size: int) -> None:
        self._at += size


def _relation(reader: _Reader) -> Relation:
    oid, schema, name, replica_identity = (
        reader.integer("I"), reader.string(), reader.string(), reader.character(),
    )  # fmt: skip
    columns = list(_columns(reader))
    identity = frozenset(name for name, is_identity in columns if is_identity)
    return Relation(oid, schema, name, replica_identity == "f", tuple(name for name, _ in columns), identity)


def _columns(reader: _Reader) -> Iterator[tuple[str, bool]]:
    for _ in range(reader.integer("H")):
        is_identity = bool(reader.integer("B"))
        yield reader.string(), is_identity
        reader.skip(8)


def _tuple(reader: _Reader, relation: Relation) -> Values:
    values: Values = {}
    count = reader.integer("H")
    for name in relation.columns[:count]:
        match reader.character():
            case "n":
                values[name] = None
            case "t":
                values[name] = reader.take(reader.integer("I")).decode()
            case "u":
                pass
            case other:
                raise UnexpectedMessage(f"tuple value of kind {other}")
    return values
