"""Makes sessions, gives them a fresh start, and ends them; tells the office each step of it.

Which sessions there should be is the business of `pool`.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import structlog

from remote_client import pool_reset
from remote_client.agents.adapter import AgentAdapter, Wish
from remote_client.commands import Hold
from remote_client.following import Again, Following
from remote_client.journal import Journal
from remote_client.monitor.office_patterns import patterns_of
from remote_client.monitor.patterns import PatternTable
from remote_client.notes import SessionNote
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OfficeTerms, OpenedSession
from remote_client.persona_worn import WornPersona
from remote_client.policy import Policy
from remote_client.policy import Repository as RepositoryRule
from remote_client.recordings.recorder import Recorder
from remote_client.sessions import DEFAULT_COLS, DEFAULT_ROWS, Session, SessionRequest
from remote_client.terminals import FIRST_BYTE, HookEvent, TerminalInfo, Terminals, TerminalSpec
from remote_client.uplink import Uplink
from remote_client.worktrees import Worktrees
from shared.errors import NotFound, OfficeError, PolicyForbids, Unavailable
from shared.ids import ByteOffset, OfficeId, SessionId
from shared.states import SessionStatus

log = structlog.get_logger(__name__)

READY_SECONDS = 15.0
KILL_GRACE_SECONDS = 1.0


class SessionMaker:
    def __init__(
        self,
        link: OfficeLink,
        terminals: Terminals,
        policy: Policy,
        folder: Path,
        adapters: Mapping[str, AgentAdapter],
        uplink: Uplink,
        journal: Journal,
        recorder: Recorder,
        on_death: Callable[[Session, str], None],
        on_call: Callable[[Session, HookEvent], None],
    ) -> None:
        self._link = link
        self._terminals = terminals
        self._policy = policy
        self._folder = folder
        self._adapters = adapters
        self._uplink = uplink
        self._journal = journal
        self._recorder = recorder
        self._following = Following(terminals, uplink, on_death, on_call)
        self._worktrees: dict[tuple[Path, Path], Worktrees] = {}
        self._terms: dict[OfficeId, OfficeTerms] = {}
        self._patterns: dict[OfficeId, PatternTable] = {}
        self._untold_ends: dict[SessionId, str] = {}

    def set_terms(self, terms: tuple[OfficeTerms, ...]) -> None:
        before = self._terms
        self._terms = {office.office_id: office for office in terms}
        for office_id, office in self._terms.items():
            if office_id not in before or before[office_id].patterns != office.patterns:
                self._patterns[office_id] = patterns_of(office.name, office.patterns)

    def options_of(self, agent: str) -> frozenset[str]:
        """Which of create_session's options an agent takes."""
        adapter = self._adapters.get(agent)
        return adapter.abilities.options if adapter is not None else frozenset()

    async def open(self, request: SessionRequest, hold: Hold | None) -> Session:
        """A session that is ready for a prompt, in the hands of `hold`'s command or idle.

        Raises:
            OfficeError: as the step that failed says. What had been made is gone again, and the office knows why.
        """
        agent, _ = self._policy.agent_named(request.agent)
        adapter = self._adapters.get(agent)
        if adapter is None:
            raise PolicyForbids(f'the agent "{agent}" is not to be had on this machine')
        worktrees = self.worktrees_of(request.office_id)
        command = hold.command if hold is not None else None
        session_id = SessionId(uuid4())
        opened = OpenedSession(
            session_id, request.office_id, request.role, agent, request.pool, command.command_id if command else None,
            command.attempt if command else None, request.task, request.cols, request.rows,
        )  # fmt: skip
        try:
            await self._link.open_session(opened)
        except Unavailable:
            self._untold_ends[session_id] = "not_made"  # the office may have opened it all the same
            raise
        try:
            worktree = await worktrees.take(request.role, request.task, request.base)
        except OfficeError as error:
            await self._tell_terminated(session_id, error.detail)
            raise
        session = Session(
            session_id, request, agent, adapter, worktrees, worktree,
            WornPersona(self._link, session_id, request.office_id, request.role), request.cols, request.rows,
            held_by=command.holder if command else None,
        )  # fmt: skip
        try:
            await self._start(session, FIRST_BYTE)
        except BaseException as error:
            await asyncio.shield(self._abandon(session, error))
            raise
        return session

    def repository_of(self, office_id: OfficeId) -> RepositoryRule:
        """
        Raises:
            PolicyForbids: the machine lends none to that office.
        """
        terms = self._terms.get(office_id)
        return self._policy.repository_for(office_id, terms.name if terms is not None else "")

    def worktrees_of(self, office_id: OfficeId) -> Worktrees:
        """
        Raises:
            PolicyForbids: the machine lends that office no repository, or not there.
        """
        repository = self.repository_of(office_id)
        places = (self._policy.require_allowed(repository.path), self._policy.require_allowed(repository.worktrees))
        if places not in self._worktrees:
            self._worktrees[places] = Worktrees(*places, repository.base)
        return self._worktrees[places]

    async def reset(self, session: Session) -> None:
        """Nothing of what was goes along: a fresh process, and a worktree without anybody's work in it.

        Raises:
            OfficeError: it could not be done; the session has ended.
        """
        session.status = SessionStatus.CREATING
        session.request = session.request.plain()
        session.cols, session.rows = DEFAULT_COLS, DEFAULT_ROWS
        try:
            await self._link.update_session(session.session_id, SessionStatus.CREATING)
            end = await self._stop_terminal(session)
            await asyncio.to_thread(shutil.rmtree, self._state_of(session))
            await session.persona.take_off(session.worktree.path)
            if kept := await pool_reset.uncover(session.worktree):
                self._tell_of_stashes(session, kept)
            keep = session.worktree.is_pooled and await session.worktrees.is_untouched(session.worktree)
            if keep:
                await session.worktrees.freshen(session.worktree)
                await pool_reset.forget(session.worktree)
            else:
                old = session.worktree
                session.worktree = await session.worktrees.take(session.role, None)
                await session.worktrees.give_back(old)
            session.ending = False
            await self._start(session, end)
        except BaseException as error:
            await asyncio.shield(self._abandon(session, error))
            raise

    def _tell_of_stashes(self, session: Session, kept: list[str]) -> None:
        detail = {"branch": session.worktree.branch, "references": kept}
        self._uplink.event(Happening(session.office_id, "stashes_kept", detail, datetime.now(UTC), session.session_id))

    async def leave(self, session: Session) -> None:
        """Lets go of its terminal and its worktree, and leaves both as they are."""
        if session.follower is not None:
            session.follower.cancel()
            await asyncio.wait({session.follower})
        await session.worktrees.give_back(session.worktree)

    async def end(self, session: Session, reason: str) -> None:
        """Ends every process of it. Its output, its branch and its worktree stay."""
        await self._stop_terminal(session)
        await self._leave_worktree(session)
        await self._tell_end(session, reason)

    async def _start(self, session: Session, offset: ByteOffset) -> None:
        version = await session.persona.put_on(session.worktree.path)
        launch = session.adapter.launch(
            Wish(
                session.session_id, session.worktree.path, self._state_of(session),
                session.request.model, session.request.mcp, session.request.resume,
            )
        )  # fmt: skip
        environment = self._policy.environment_for_agents() | dict(launch.environment)
        spec = TerminalSpec(
            session.session_id, launch.command, session.worktree.path, environment, session.cols, session.rows, offset
        )
        info = await self._terminals.create(spec)
        session.pid = info.pid
        session.driver = session.adapter.drive(
            session.session_id, self._terminals, launch.memory, self._patterns[session.office_id]
        )
        self._begin_following(session, offset)
        await session.driver.until_ready(READY_SECONDS)
        await self._link.update_session(
            session.session_id, SessionStatus.READY, pid=info.pid, worktree_path=str(session.worktree.path),
            branch=session.worktree.branch, task=session.worktree.task, persona_version=version,
            cols=session.cols, rows=session.rows,
        )  # fmt: skip
        session.status = SessionStatus.READY
        session.idle_since = time.monotonic()
        self._journal.session_began(_note_of(session, launch.memory))

    def _begin_following(self, session: Session, offset: ByteOffset, again: Again | None = None) -> None:
        following = self._following.follow(session, offset, again)
        session.follower = asyncio.create_task(following, name=f"follow {session.session_id}")

    async def take_up(self, note: SessionNote, info: TerminalInfo, again: Again) -> Session:
        """A session that an earlier process of this client made; its terminal is read again from its beginning.

        Raises:
            OfficeError: it cannot go on here; its terminal is as it was.
        """
        adapter = self._adapters.get(note.agent)
        if adapter is None:
            raise PolicyForbids(f'the agent "{note.agent}" is no longer to be had on this machine')
        worktrees = self.worktrees_of(note.office_id)
        persona = WornPersona(self._link, note.session_id, note.office_id, note.role)
        await persona.remember(note.persona_version)
        session = Session(
            note.session_id,
            SessionRequest(
                note.office_id, note.role, note.agent, cols=note.cols, rows=note.rows, pool=note.pool,
                model=note.model, mcp=note.mcp,
            ),
            note.agent, adapter, worktrees, await worktrees.take_as_it_is(note.worktree_role, note.worktree_task),
            persona, note.cols, note.rows, pid=info.pid,
        )  # fmt: skip
        session.driver = adapter.drive(note.session_id, self._terminals, note.memory, self._patterns[note.office_id])
        self._begin_following(session, info.begin, again)
        return session

    async def drop(self, session_id: SessionId, reason: str | None = None) -> None:
        """Ends what an earlier process of this client left behind. `reason`: for the office, if it should be told."""
        with contextlib.suppress(NotFound):
            await self._terminals.kill(session_id, KILL_GRACE_SECONDS)
            note = next((note for note in self._journal.sessions() if note.session_id == session_id), None)
            await self._recorder.take(session_id, note.role if note else "unknown", note.agent if note else "unknown")
            await self._terminals.forget(session_id)
        self._journal.session_over(session_id)
        if reason is not None:
            await self._tell_terminated(session_id, reason)

    def _state_of(self, session: Session) -> Path:
        """The adapter's own files of this session."""
        folder = self._folder / str(session.session_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    async def _stop_terminal(self, session: Session) -> ByteOffset:
        """Returns where its output ends."""
        session.ending = True
        with contextlib.suppress(NotFound):
            await self._terminals.kill(session.session_id, KILL_GRACE_SECONDS)
            if session.follower is not None:
                await asyncio.wait({session.follower})
            await self._recorder.take(session.session_id, session.role, session.agent)
            await self._terminals.forget(session.session_id)
            return session.position
        return FIRST_BYTE

    async def _leave_worktree(self, session: Session) -> None:
        await session.persona.take_off(session.worktree.path)
        await session.worktrees.give_back(session.worktree)

    async def _abandon(self, session: Session, error: BaseException) -> None:
        await self._stop_terminal(session)
        await self._leave_worktree(session)
        await self._tell_end(session, error.detail if isinstance(error, OfficeError) else "client_stopping")

    async def tell_ends(self) -> None:
        """Tells the office again of the sessions that ended while it did not listen."""
        for session_id, reason in list(self._untold_ends.items()):
            del self._untold_ends[session_id]
            await self._tell_terminated(session_id, reason)

    async def _tell_terminated(self, session_id: SessionId, reason: str) -> None:
        try:
            await self._link.update_session(session_id, SessionStatus.TERMINATED, end_reason=reason)
        except Unavailable:
            self._untold_ends[session_id] = reason
        except NotFound:
            log.info("ended before the office knew of it", session_id=str(session_id))

    async def _tell_end(self, session: Session, reason: str) -> None:
        session.status = SessionStatus.TERMINATED
        await asyncio.to_thread(shutil.rmtree, self._state_of(session))
        self._uplink.session_over(session.session_id)
        self._journal.session_over(session.session_id)
        await self._tell_terminated(session.session_id, reason)


def _note_of(session: Session, memory: Mapping[str, str]) -> SessionNote:
    request = session.request
    return SessionNote(
        session.session_id, session.office_id, session.role, session.agent, session.pool, session.cols, session.rows,
        request.model, request.mcp, session.worktree.role, session.worktree.task, session.persona.version, dict(memory),
    )  # fmt: skip
