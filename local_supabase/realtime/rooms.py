"""Who is in which room, and handing a broadcast to everyone there. A private and a public room never meet."""

from typing import Protocol

from local_supabase.realtime import protocol


class Member(Protocol):
    """What a room needs to know of a channel."""

    @property
    def subtopic(self) -> str: ...
    @property
    def private(self) -> bool: ...

    def hear(self, frame: str) -> None:
        """Takes one broadcast, ready to send. It must not block."""
        ...


class Rooms:
    """All rooms of the server. `subtopic` is the topic without `realtime:`."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, bool], dict[Member, None]] = {}

    def enter(self, member: Member) -> None:
        self._rooms.setdefault((member.subtopic, member.private), {})[member] = None

    def leave(self, member: Member) -> None:
        key = (member.subtopic, member.private)
        room = self._rooms.get(key, {})
        room.pop(member, None)
        if not room:
            self._rooms.pop(key, None)

    def say(self, subtopic: str, private: bool, payload_json: str, sender: Member | None = None) -> None:
        """Broadcasts to everyone in the room, except to `sender`."""
        room = self._rooms.get((subtopic, private))
        if not room:
            return
        frame = protocol.broadcast(protocol.TOPIC_PREFIX + subtopic, payload_json)
        for member in list(room):
            if member is not sender:
                member.hear(frame)
