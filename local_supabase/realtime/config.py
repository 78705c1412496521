"""What the embedded Realtime can be told: where its database is, its secret, and its limits. Starts nothing."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Limits:
    """The real server's defaults; times that it spends to slow attackers down are shortened."""

    events_per_second: int = 100
    """Of one channel, sent and received together, as a mean over `rate_window_seconds`; more closes the channel."""
    rate_window_seconds: int = 8
    joins_per_second: int = 100
    """Of one socket."""
    channels_per_socket: int = 100
    broadcast_bytes: int = 3_000_000
    record_bytes: int = 1024 * 1024
    """A changed row above this is sent with its small fields only, and an error in it."""
    outbox_bytes: int = 16 * 1024 * 1024
    """What may wait for one slow reader before its socket is closed with 1013."""
    changes_after: timedelta = timedelta(milliseconds=100)
    """How long row changes gather before they are rendered together; the real server looks every 100 to 500 ms.
    Broadcasts do not wait, and so are not held up by the very row that they hint at."""
    pending_changes: int = 10_000
    """Row changes that may wait for rendering; more are dropped, as the real server drops what is over its limit."""
    idle_after: timedelta = timedelta(seconds=60)
    """A socket that says nothing for this long is closed with 1000."""
    handshake_denial_delay: timedelta = timedelta(milliseconds=100)
    """2 s on the real server."""
    join_denial_delay: timedelta = timedelta(milliseconds=100)
    """5 s on the real server; there and here the whole socket waits."""
    resubscribe_after: timedelta = timedelta(milliseconds=100)
    """After a new access token the old claims decide for this long; 1.6 to 2.8 s on the real server."""
    messages_kept: timedelta = timedelta(hours=72)


@dataclass(frozen=True, repr=False)
class RealtimeConfig:
    """Holds secrets, therefore has no `repr`.

    Args:
        database_dsn: as a role that may become every role of a token (`supabase_admin`).
        replication_dsn: as a role with REPLICATION (`supabase_replication`), same database.
        jwt_secret: signs API keys and users' tokens (HS256).
    """

    database_dsn: str
    replication_dsn: str
    jwt_secret: str
    limits: Limits = field(default_factory=Limits)
