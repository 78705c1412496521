"""What each type of command does on this machine. A handler returns what came of it, or raises an OfficeError."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from remote_client.commands import Command, Completion, Hold
from remote_client.gitwork.handlers import GitWork
from remote_client.journal import Journal
from remote_client.keys import key_bytes
from remote_client.notes import TypingNote
from remote_client.policy import Policy
from remote_client.pool import Pool
from remote_client.redaction import LONGEST_BYTES, Redaction
from remote_client.sessions import Session, SessionRequest
from remote_client.spec_commands import SpecCommands
from remote_client.terminals import Terminals
from remote_client.touches import note_touch
from remote_client.turns import Turns
from remote_client.uplink import Uplink
from remote_client.utf8 import complete_length
from shared.errors import Conflict, HostGone, InvalidPayload, NotFound, PolicyForbids, SessionFailed
from shared.ids import ByteOffset
from shared.payloads import (
    PAYLOADS,
    CreateSession,
    GetOutput,
    Moved,
    Output,
    Payload,
    Resize,
    SendKeys,
    SendPrompt,
    SendText,
    SessionCreated,
)  # fmt: skip
from shared.states import CommandType, SessionStatus

OUTPUT_LIMIT_BYTES = 65_536
UNTYPED_TRIES = 3

Handler = Callable[[Hold, Payload], Awaitable[Completion]]


def _done(result: dict[str, object], status: SessionStatus | None = None) -> Completion:
    return Completion(True, result, session_status=status)


class Handlers:
    def __init__(
        self,
        pool: Pool,
        terminals: Terminals,
        turns: Turns,
        journal: Journal,
        policy: Policy,
        uplink: Uplink,
        specs: SpecCommands,
        gitwork: GitWork,
        redaction: Redaction,
    ) -> None:
        self._pool = pool
        self._terminals = terminals
        self._turns = turns
        self._journal = journal
        self._policy = policy
        self._uplink = uplink
        self._redaction = redaction
        self._gitwork = gitwork
        self._by_type: dict[CommandType, Handler] = {
            CommandType.CREATE_SESSION: self._create_session,
            CommandType.SEND_PROMPT: self._send_prompt,
            CommandType.SEND_TEXT: self._send_text,
            CommandType.SEND_KEYS: self._send_keys,
            CommandType.GET_OUTPUT: self._get_output,
            CommandType.RESIZE: self._resize,
            CommandType.CANCEL: self._cancel,
            CommandType.TERMINATE: self._terminate,
            CommandType.RELEASE_SESSION: self._release_session,
            CommandType.READ_DOCUMENTS: specs.read,
            CommandType.WRITE_DOCUMENTS: specs.write,
            CommandType.MERGE_WORK: specs.merge,
            CommandType.CHECK_WORK: gitwork.check_work,
            CommandType.READ_WORK: gitwork.read_work,
            CommandType.PUBLISH_BRANCH: gitwork.publish_branch,
            CommandType.FOLLOW_PULL_REQUEST: gitwork.follow_pull_request,
            CommandType.MERGE_BRANCH: gitwork.merge_branch,
        }

    async def run(self, hold: Hold) -> Completion:
        command, command_type = hold.command, hold.command.command_type
        if not isinstance(command_type, CommandType):
            raise InvalidPayload(
                f'this client does not know the command "{command_type}"',
                advice="the office is newer: upgrade the client",
            )
        try:
            payload = PAYLOADS[command_type].model_validate(command.payload)
        except ValidationError as error:
            raise InvalidPayload(f"{command_type}: {error.errors()[0]['msg']}") from error
        return await self._by_type[command_type](hold, payload)

    async def interrupt(self, command: Command, reason: str) -> None:
        """Stops the turn of a prompt that runs, if it still does."""
        for session in self._pool.of(command):
            await session.driver.interrupt(reason)

    async def after_delivery(self, hold: Hold, completion: Completion | None) -> None:
        """The office has the result, or will never take it: what the command alone was for may go."""
        command = hold.command
        succeeded = completion is not None and completion.success and not hold.gone
        unheard_of = command.command_type is CommandType.CREATE_SESSION and not succeeded
        if unheard_of or (command.command_type is CommandType.SEND_PROMPT and command.session_id is None):
            for session in self._pool.taken_by(command):
                self._pool.recycle(session)

    async def _create_session(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, CreateSession)  # noqa: S101  by the table of payloads
        name, _ = self._policy.agent_named(payload.agent)
        for option in ("model", "mcp", "resume"):
            if getattr(payload, option) is not None and option not in self._pool.options_of(name):
                raise InvalidPayload(f'create_session: the agent "{name}" takes no "{option}"')
        request = SessionRequest(
            hold.command.office_id, payload.role, name, payload.task, payload.base, payload.cols or 120,
            payload.rows or 40, model=payload.model, mcp=payload.mcp, resume=payload.resume,
        )  # fmt: skip
        session = await self._pool.acquire(request, hold)
        if (session.cols, session.rows) != (request.cols, request.rows):
            await self._set_size(session, request.cols, request.rows)
        created = SessionCreated(
            session_id=session.session_id,
            agent=session.agent,
            pid=session.pid,
            worktree_path=str(session.worktree.path),
            branch=session.worktree.branch,
            status=session.status,
        )
        return _done(created.model_dump(mode="json"))

    async def _send_prompt(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, SendPrompt)  # noqa: S101
        self._policy.require_prompt(payload.text)
        command = hold.command
        seconds = min(payload.timeout_s or self._policy.limits.run_time_s, self._policy.limits.run_time_s)
        if command.session_id is not None:
            session = self._pool.session(command.session_id)
            self._policy.require_session(session.agent, session.worktree.path)
            return await self._turns.run(session, hold, payload.text, seconds)
        request = SessionRequest(command.office_id, payload.role or "", payload.agent)
        for _ in range(UNTYPED_TRIES - 1):
            session = await self._pool.acquire(request, hold)
            try:
                return await self._turns.run(session, hold, payload.text, seconds)
            except SessionFailed as error:
                if hold.typing and not isinstance(error, HostGone):
                    hold.mark_untyped()
                if not hold.is_untouched:
                    raise
                # Nothing was typed: the same prompt in another session does nothing twice.
                await self._pool.end(session, error.detail)
        session = await self._pool.acquire(request, hold)
        return await self._turns.run(session, hold, payload.text, seconds)

    async def _send_text(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, SendText)  # noqa: S101
        await self._type(hold, payload.text.encode(errors="replace"))
        return _done({})

    async def _send_keys(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, SendKeys)  # noqa: S101
        await self._type(hold, b"".join(key_bytes(key) for key in payload.keys))
        return _done({})

    async def _type(self, hold: Hold, data: bytes) -> None:
        session = self._pool.session(hold.command.session_id)
        self._policy.require_session(session.agent, session.worktree.path)
        if session.kept_here:
            why = next(iter(session.kept_here.values()))
            raise PolicyForbids(f"the agent asks leave for something that only its terminal may answer: {why}")
        hold.check()
        self._journal.typing(hold.command, TypingNote(session.office_id, session.session_id))
        hold.begin_typing()
        session.driver.touch(data)
        by = hold.command.author or "the office"
        note_touch(self._uplink, session.touches, session.office_id, session.session_id, by, session.position)
        await self._terminals.write(session.session_id, data, hold.command.key)
        hold.mark_typed()

    async def _get_output(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, GetOutput)  # noqa: S101
        session = self._pool.session(hold.command.session_id)
        after, limit = ByteOffset(payload.after or 0), payload.limit or OUTPUT_LIMIT_BYTES
        # Read from further ahead and on, so that a secret is whole that lies across an edge.
        begin = ByteOffset(max(0, after - LONGEST_BYTES))
        read = await self._terminals.read_from(session.session_id, begin, after - begin + limit + LONGEST_BYTES)
        if read.end <= after:  # what is kept has a gap there
            read = await self._terminals.read_from(session.session_id, after, limit + LONGEST_BYTES)
        start = max(after, read.start)
        data = self._redaction.rules.bytes(read.data)[start - read.start :][:limit]
        length = complete_length(data) or len(data)
        text = data[:length].decode(errors="replace").replace("\x00", "\ufffd")
        output = Output(output=text, next=ByteOffset(start + length), status=session.status)
        return _done(output.model_dump(mode="json"))

    async def _resize(self, hold: Hold, payload: Payload) -> Completion:
        assert isinstance(payload, Resize)  # noqa: S101
        await self._set_size(self._pool.session(hold.command.session_id), payload.cols, payload.rows)
        return _done({})

    async def _set_size(self, session: Session, cols: int, rows: int) -> None:
        await self._terminals.resize(session.session_id, cols, rows)
        session.cols, session.rows = cols, rows
        await self._pool.tell_size(session)

    async def _cancel(self, hold: Hold, _payload: Payload) -> Completion:
        session = self._pool.session(hold.command.session_id)
        await self._gitwork.stop_checks(session.session_id)
        await session.driver.interrupt("cancel")
        await session.settled.wait()
        status = "idle" if session.is_idle else session.status
        return _done(Moved(status=status).model_dump(mode="json"))

    async def _terminate(self, hold: Hold, _payload: Payload) -> Completion:
        try:
            session = self._pool.session(hold.command.session_id)
        except NotFound:
            return _done({"status": SessionStatus.TERMINATED})  # it has ended already
        await self._gitwork.stop_checks(session.session_id)
        await self._pool.end(session, "terminated")
        return _done({"status": SessionStatus.TERMINATED})

    async def _release_session(self, hold: Hold, _payload: Payload) -> Completion:
        session = self._pool.session(hold.command.session_id)
        if not session.settled.is_set():
            raise Conflict(f"session {session.session_id} is in a turn", advice="cancel it first")
        self._pool.recycle(session)
        return _done({"status": "idle"})
