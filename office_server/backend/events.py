"""What was told of an office, in an order in which nothing appears before what was read."""

from office_server.backend.connection import Connection
from office_server.rows import EventPage
from shared.ids import OfficeId


class Events:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, office: OfficeId, after: str | None, kinds: frozenset[str], limit: int = 200) -> EventPage:
        """The first events after a place; None: none of what was, and from where to go on.

        Raises:
            InvalidPayload: `after` is no place.
            BackendDown: Supabase does not answer.
        """
        found = await self._connection.call(
            "read_events", p_office=str(office), p_after=after, p_kinds=sorted(kinds) or None, p_limit=limit
        )
        return EventPage.model_validate(found)
