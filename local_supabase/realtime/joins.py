"""What a `phx_join` asks for, read from its payload, and every reason to refuse it. Touches no database."""

from dataclasses import dataclass
from typing import cast

from local_supabase.realtime.bindings import binding_id, binding_of_topic
from local_supabase.realtime.protocol import Json
from local_supabase.realtime.tokens import is_token

_MALFORMED = "UnknownErrorOnChannel: no function clause matching in Access.get/3"
NO_TOPIC = "TopicNameRequired: You must provide a topic name"
TOO_MANY_CHANNELS = "ChannelRateLimitReached: Too many channels"
TOO_MANY_JOINS = "ClientJoinRateLimitReached: Too many joins per second"
NO_DATABASE = "UnableToConnectToProject: Realtime was unable to connect to the project database"
NO_PRESENCE = "NotInEmbeddedGateway: Presence is not part of the embedded Realtime"
NO_REPLAY = "NotInEmbeddedGateway: broadcast replay is not part of the embedded Realtime"


class JoinRefused(Exception):
    """Argument: the reason, in the real server's words where it has them."""


def may_not_read(subtopic: str) -> str:
    return f"You do not have permissions to read from this Channel topic: {subtopic}"


@dataclass(frozen=True)
class JoinRequest:
    """A well-formed join. `token` is None when the socket's API key stands in."""

    private: bool
    acknowledges: bool
    hears_itself: bool
    announces_replication: bool
    bindings: list[dict[str, Json]]
    token: Json
    is_old_api: bool
    """A join without any config: its topic names a table, and changes arrive as events INSERT, UPDATE, DELETE."""

    @property
    def response(self) -> Json:
        """The bindings as they were sent, each with its id."""
        return {"postgres_changes": [{"id": binding_id(params), **params} for params in self.bindings]}


def parse_join(payload: Json, subtopic: str) -> JoinRequest:
    """Raises JoinRefused."""
    if not subtopic:
        raise JoinRefused(NO_TOPIC)
    fields = _object(payload)
    is_old_api = "config" not in fields
    config = _object(fields.get("config", {}))
    broadcast = _object(config.get("broadcast", {}))
    presence = _object(config.get("presence", {}))
    if presence.get("enabled") is True:
        raise JoinRefused(NO_PRESENCE)
    if broadcast.get("replay") is not None:
        raise JoinRefused(NO_REPLAY)
    bindings: Json = config.get("postgres_changes") or []
    if not isinstance(bindings, list):
        raise JoinRefused(_MALFORMED)
    token = fields.get("access_token", fields.get("user_token"))
    return JoinRequest(
        private=config.get("private") is True,
        acknowledges=broadcast.get("ack") is True,
        hears_itself=broadcast.get("self") is True,
        announces_replication=broadcast.get("replication_ready") is True,
        bindings=binding_of_topic(subtopic) if is_old_api else [_object(each) for each in cast("list[Json]", bindings)],
        token=token if is_token(token) else None,
        is_old_api=is_old_api,
    )


def _object(value: Json) -> dict[str, Json]:
    """Null stands for what is not there."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise JoinRefused(_MALFORMED)
    return cast("dict[str, Json]", value)
