"""One queue of subscriptions and row changes, worked off in order by one worker.

In order means: a row that commits after a join's reply is seen by that join, and old claims decide until the new
ones were checked.
"""

import asyncio
from dataclasses import dataclass

import psycopg
import structlog

from local_supabase.realtime.bindings import BindingRefused
from local_supabase.realtime.changes import deliveries
from local_supabase.realtime.config import Limits
from local_supabase.realtime.pgoutput import RowChange
from local_supabase.realtime.sessions import DatabaseUnreachable, Sessions
from local_supabase.realtime.subscriptions import Subscriber, Subscription, check
from local_supabase.realtime.tables import KnownTables

RETRY_SECONDS = 0.2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Subscribe:
    subscriber: Subscriber


class ChangeFeed:
    """Brings row changes to those who subscribed to them and may see them."""

    def __init__(self, sessions: Sessions, limits: Limits) -> None:
        self._sessions = sessions
        self._limits = limits
        self._queue: asyncio.Queue[_Subscribe | RowChange] = asyncio.Queue()
        self._members: set[Subscriber] = set()
        self._subscriptions: dict[Subscriber, Subscription] = {}

    def subscribe(self, subscriber: Subscriber) -> None:
        """Checks the subscriber's bindings under its present token and tells it; again after a new token."""
        self._members.add(subscriber)
        self._queue.put_nowait(_Subscribe(subscriber))

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._members.discard(subscriber)
        self._subscriptions.pop(subscriber, None)

    def offer(self, change: RowChange) -> None:
        """Takes a change if anyone could want it. What is over the limit is dropped: no promise was made."""
        if not self._members:
            return
        if self._queue.qsize() >= self._limits.pending_changes:
            _log.warning("change_dropped", table=change.relation.name)
            return
        self._queue.put_nowait(change)

    async def run(self) -> None:
        """Until cancelled. While the database is away everything waits."""
        while True:
            item = await self._queue.get()
            if isinstance(item, RowChange):
                await asyncio.sleep(self._limits.changes_after.total_seconds())
            tables = KnownTables()
            await self._handle(item, tables)
            while not self._queue.empty():
                await self._handle(self._queue.get_nowait(), tables)

    async def _handle(self, item: _Subscribe | RowChange, tables: KnownTables) -> None:
        while True:
            try:
                if isinstance(item, _Subscribe):
                    return await self._subscribe(item.subscriber)
                return await self._deliver(item, tables)
            except DatabaseUnreachable:
                await asyncio.sleep(RETRY_SECONDS)
            except psycopg.Error as failure:
                _log.error("change_not_rendered", error=str(failure).strip())
                return None

    async def _subscribe(self, subscriber: Subscriber) -> None:
        if subscriber not in self._members:
            return
        try:
            async with self._sessions.connection() as connection:
                subscription = await check(connection, subscriber.token, subscriber.bindings)
        except BindingRefused as refused:
            self._refuse(subscriber, str(refused))
            return
        except psycopg.OperationalError:
            raise
        except psycopg.Error as failure:
            _log.error("subscription_not_checked", error=str(failure).strip())
            self._refuse(subscriber, "Unable to subscribe to changes with given parameters.")
            return
        if subscriber in self._members:
            self._subscriptions[subscriber] = subscription
            subscriber.subscribed()

    def _refuse(self, subscriber: Subscriber, message: str) -> None:
        if subscriber in self._members:
            self.unsubscribe(subscriber)
            subscriber.refused(message)

    async def _deliver(self, change: RowChange, tables: KnownTables) -> None:
        if not any(each.of(change.relation.oid, change.action) for each in self._subscriptions.values()):
            return
        async with self._sessions.connection() as connection:
            found = await deliveries(connection, change, dict(self._subscriptions), self._limits.record_bytes, tables)
        for delivery in found:
            if delivery.subscriber in self._members:
                delivery.subscriber.changed(delivery.binding_ids, change.action, delivery.data_json)
