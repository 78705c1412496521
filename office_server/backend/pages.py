"""What only the office's pages ask of the database: pictures of an office, output, turns, sign-in codes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from office_server import unknown
from office_server.backend.connection import Connection
from office_server.picture_rows import Picture, SeenSession
from office_server.rows import Command, OutputChunk, Row, Turn
from shared.ids import ByteOffset, CommandId, JobId, OfficeId, SessionId


class SessionChunk(OutputChunk):
    session_id: SessionId


class TimedChunk(OutputChunk):
    at: datetime


class SessionEvent(Row):
    id: int
    kind: str
    detail: dict[str, Any]
    at: datetime


class _JobOfExecution(Row):
    job_id: JobId


class _CodeExpiry(Row):
    expires_at: datetime


class Pages:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def picture(self, office: OfficeId) -> Picture:
        """Raises NotFound."""
        return Picture.model_validate(await self._connection.call("office_picture", p_office=str(office)))

    async def output_after(self, office: OfficeId, after: dict[SessionId, ByteOffset]) -> list[SessionChunk]:
        """What the sessions have put out after these offsets; -1 stands for the last of it. In order."""
        places = {str(session): offset for session, offset in after.items()}
        found = await self._connection.call("output_after", p_office=str(office), p_after=places)
        return [SessionChunk.model_validate(row) for row in found]

    async def whole_output(self, session: SessionId, page: int = 500) -> list[TimedChunk]:
        """All that is kept of what a session put out, in order, with the times at which it came."""
        found: list[TimedChunk] = []
        while True:
            query = self._connection.table("session_output").select(TimedChunk.columns())
            query = query.eq("session_id", str(session)).order("start_offset").range(len(found), len(found) + page - 1)
            rows = await self._connection.read(query, TimedChunk)
            found += rows
            if len(rows) < page:
                return found

    async def turns(self, session: SessionId, limit: int = 200) -> list[Turn]:
        """The latest first."""
        query = self._connection.table("session_turns").select(Turn.columns()).eq("session_id", str(session))
        return await self._connection.read(query.order("started_at", desc=True).limit(limit), Turn)

    async def events(self, session: SessionId, limit: int = 200) -> list[SessionEvent]:
        """The latest first."""
        query = self._connection.table("session_events").select(SessionEvent.columns()).eq("session_id", str(session))
        return await self._connection.read(query.order("id", desc=True).limit(limit), SessionEvent)

    async def commands_of(self, ids: list[CommandId]) -> dict[CommandId, Command]:
        """The commands of these ids, by id."""
        if not ids:
            return {}
        query = self._connection.table("agent_commands").select(Command.columns())
        found = await self._connection.read(query.in_("id", [str(one) for one in ids]), Command)
        return {command.id: command for command in found}

    async def session(self, office: OfficeId, session: SessionId) -> SeenSession:
        """One session as a picture shows it, however long ago it ended. Raises NotFound."""
        found = await self._connection.call("session_picture", p_office=str(office), p_session=str(session))
        if found is None:
            raise unknown.session(office, session)
        return SeenSession.model_validate(found)

    async def jobs_of(self, session: SessionId, limit: int = 10) -> list[JobId]:
        """The jobs that a session worked on, the latest first."""
        query = self._connection.table("executions").select(_JobOfExecution.columns()).eq("session_id", str(session))
        found = await self._connection.read(query.order("seq", desc=True).limit(limit), _JobOfExecution)
        return list(dict.fromkeys(row.job_id for row in found))

    async def type_into(self, person: str, office: OfficeId, session: SessionId, text: str) -> bool:
        """Whether `person`, as the sign-in cookie names them, still may type there; then it is asked for.

        Raises NotFound, SessionEnded, InvalidPayload.
        """
        return await self._connection.call(
            "type_into_session", p_person=person, p_office=str(office), p_session=str(session), p_text=text
        )

    async def put_away(self, office: OfficeId, kind: str, subject: UUID, by: str) -> None:
        """Is not shown as waiting for a person any more, unless it happens again."""
        row = {"office_id": str(office), "kind": kind, "subject": str(subject), "by": by, "at": "now"}
        await self._connection.do(
            self._connection.table("attention_dismissed").upsert(row, on_conflict="office_id,kind,subject")
        )

    async def add_sign_in_code(self, code_hash: str, person: str) -> datetime:
        """Returns until when it can be used."""
        query = self._connection.table("sign_in_codes").insert({"code_hash": code_hash, "person": person})
        [made] = await self._connection.write(query, _CodeExpiry)
        return made.expires_at

    async def redeem_sign_in_code(self, code_hash: str) -> str:
        """Who asked for the code. Raises BadEnrollmentCode: it is wrong, used or too old."""
        return str(await self._connection.call("redeem_sign_in_code", p_code_hash=code_hash))
