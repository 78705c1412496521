"""Wires the parts of a remote client together, starts them in order and stops them in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from realtime_line.line import Pace
from realtime_line.socket import Endpoint
from remote_client.adapters import available_adapters
from remote_client.agent_calls import AgentCalls
from remote_client.approvals import Approvals
from remote_client.claimer import Claimer
from remote_client.commands import lease_clock
from remote_client.connection import Connection
from remote_client.control.desk import Desk, Parts
from remote_client.control.server import ControlServer
from remote_client.credentials import Credentials, load, save
from remote_client.executor import Executor
from remote_client.gitwork.forecaster import Forecaster
from remote_client.gitwork.handlers import GitWork
from remote_client.handlers import Handlers
from remote_client.heartbeat import beat
from remote_client.journal import Journal
from remote_client.leases import Leases
from remote_client.ledger import Ledger
from remote_client.office_link import OfficeLink
from remote_client.office_records import Happening, OfficeTerms, Registration
from remote_client.outbox import Outbox
from remote_client.pause import Pause
from remote_client.policy import Policy, load_policy
from remote_client.policy_watch import PolicyWatch
from remote_client.pool import Pool
from remote_client.pool_circuits import Circuits
from remote_client.pool_keeper import PoolKeeper
from remote_client.pool_memory import Memory
from remote_client.pool_opening import Opening
from remote_client.ptyhost.host_terminals import HostTerminals
from remote_client.pulse import keep_pulse
from remote_client.recordings.recorder import Recorder
from remote_client.recordings.shelf import recordings_of
from remote_client.recovery import Recovery
from remote_client.redaction import Redaction
from remote_client.revoked import end_turns
from remote_client.session_maker import SessionMaker
from remote_client.sessions import Session
from remote_client.settings import ClientSettings
from remote_client.spec_commands import SpecCommands
from remote_client.standing import Standing
from remote_client.subscriber import Subscriber
from remote_client.supabase_calls import SupabaseCalls
from remote_client.turns import Turns
from remote_client.uplink import Uplink
from remote_client.watched_calls import WatchedCalls
from shared.errors import ClientRevoked, Fenced, Forbidden, OfficeError, Unauthenticated, Unavailable
from shared.folders import private_folder
from shared.ids import OfficeId, SessionId, StartId

log = structlog.get_logger(__name__)

VERSION = "0.1.0"
LIVE_SECONDS = 10.0
UPLINK_STOP_SECONDS = 3.0
RECORDER_STOP_SECONDS = 3.0


@dataclass(frozen=True)
class Ready:
    """What a supervisor is told when this client has registered and takes work."""

    client_id: str
    state: str


async def run(settings: ClientSettings, stop: asyncio.Event, on_ready: Callable[[Ready], None] | None = None) -> None:
    """Serves the offices that this machine has joined until `stop` is set, then ends in order.

    Raises:
        NotFound, InvalidPayload: credentials or policy are missing or wrong.
        ForeignFolder: the state folder is not ours.
        Conflict: another process of this client runs here.
        Fenced: a newer process of this client has taken over.
        ClientRevoked: this client was revoked, now or earlier; it remembers, and does not ask again.
    """
    policy = load_policy(settings.policy)
    credentials = load(private_folder(settings.state, option="SEMO_CLIENT_STATE_DIR"))
    credentials.require_not_revoked()
    with Journal(settings.state / "journal.sqlite") as journal:
        calls = await SupabaseCalls.connect(credentials, settings.request_timeout_seconds)
        try:
            client = _Client(settings, policy, credentials, journal, calls)
            await client.serve(stop, on_ready)
        except ClientRevoked:
            save(credentials.model_copy(update={"revoked_at": datetime.now(UTC)}), settings.state)
            raise
        finally:
            await calls.close()


class _Client:
    def __init__(
        self, settings: ClientSettings, policy: Policy, credentials: Credentials, journal: Journal, calls: SupabaseCalls
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._adapters = available_adapters(policy)
        self._journal = journal
        self._connection = Connection()
        watched = WatchedCalls(calls, self._connection, settings.request_timeout_seconds)
        self._redaction = Redaction(policy.secrets())
        self._link = OfficeLink(watched, credentials.client_id, self._redaction.told)
        self._terminals = HostTerminals(
            settings.state / "host",
            settings.terminal_keep_bytes,
            settings.host_idle_seconds,
            settings.host_alone_seconds,
        )
        self._ledger = ledger = Ledger(settings.state / "asked.jsonl")
        self._pause = Pause(settings.state / "paused.json", self._link, lambda: self._claimer.wake())
        self._uplink = Uplink(
            self._link,
            settings.uplink_seconds,
            settings.uplink_batch_bytes,
            settings.uplink_memory_bytes,
            self._redaction,
        )
        self._leases = Leases(self._link, settings.lease_seconds)
        self._outbox = Outbox(self._link, journal, self._leases, self._uplink, self._on_place_free)
        self._recorder = Recorder(recordings_of(settings.state), policy, self._terminals)
        self._calls = AgentCalls(self._link, self._terminals, policy)
        maker = SessionMaker(
            self._link, self._terminals, policy, settings.state / "agents", self._adapters, self._uplink, journal,
            self._recorder, self._on_death, self._calls.take,
        )  # fmt: skip
        circuits = Circuits(self._link)
        opening = Opening(maker, policy, circuits)
        self._pool = Pool(maker, opening, Memory(policy), self._link, self._uplink, policy, self._on_place_free)
        self._keeper = PoolKeeper(self._pool, circuits, maker)
        approvals = Approvals(self._link, self._uplink, policy)
        turns = Turns(journal, self._link, self._uplink, approvals)
        specs, gitwork = SpecCommands(maker.worktrees_of), GitWork(maker, self._pool, policy, self._redaction.text)
        handlers = Handlers(
            self._pool, self._terminals, turns, journal, policy, self._uplink, specs, gitwork, self._redaction
        )
        self._forecaster = Forecaster(
            self._link, self._pool, maker, settings.state / "forecast", settings.forecast_seconds
        )
        self._executor = Executor(
            self._link,
            handlers,
            journal,
            self._leases,
            self._outbox,
            self._uplink,
            settings.lease_seconds,
            lambda command_id: self._claimer.let_go(command_id),
            ledger,
        )
        self._recovery = Recovery(self._link, self._terminals, journal, maker, self._pool, turns, self._executor)
        self._claimer = Claimer(
            self._link,
            self._executor,
            settings.poll_seconds,
            settings.claim_limit,
            settings.lease_seconds,
            lambda: self._connection.is_live,
            self._pool.holding_back,
            lambda: self._pause.may_claim and not journal.is_stuck,
        )
        journal.on_room(self._claimer.wake)
        self._connection.listen_to_turns(self._claimer.wake)
        self._connection.listen_to_turns(self._leases.renew_now)
        self._policy_watch = PolicyWatch(settings.policy, policy, self._put_policy, self._tell_all, self._report)
        desk = Parts(
            settings.state, VERSION, self._connection, self._link, self._pool, self._executor, gitwork, approvals,
            self._calls, ledger, self._pause, journal, policy, settings.policy, self._policy_watch,
        )  # fmt: skip
        self._control = ControlServer(settings.state, Desk(desk, lambda: self._stop_wanted()))
        self._stop_wanted: Callable[[], None] = _nothing
        self._office_ids: tuple[OfficeId, ...] = ()
        self._standing = Standing(self._link, policy, self._on_terms)
        realtime = Endpoint(f"{credentials.supabase_url.rstrip('/')}/realtime/v1", credentials.publishable_key)
        pace = Pace(quiet=settings.quiet_seconds)
        self._tokens = calls.tokens
        self._subscriber = Subscriber(
            realtime, calls.tokens, self._link.echo_hint, self._claimer, self._connection, pace, approvals.wake
        )

    def _on_place_free(self) -> None:
        self._claimer.place_is_free()

    def _on_death(self, session: Session, reason: str) -> None:
        self._pool.bury(session, reason)

    async def _put_policy(self, policy: Policy) -> None:
        """
        Raises:
            InvalidPayload: it wants of an agent what its kind does not have. Nothing is changed.
        """
        adapters = await asyncio.to_thread(available_adapters, policy)
        self._adapters.clear()
        self._adapters.update(adapters)
        self._redaction.rules = policy.secrets()

    async def _report(self) -> None:
        await self._link.report_capabilities(self._capabilities(), self._capacity())
        self._claimer.wake()

    def _tell_all(self, kind: str, detail: dict[str, Any]) -> None:
        for office_id in self._office_ids:
            self._uplink.event(Happening(office_id, kind, detail, datetime.now(UTC)))

    def _on_terms(self, terms: tuple[OfficeTerms, ...]) -> None:
        self._office_ids = tuple(office.office_id for office in terms)
        self._standing.serves(terms)
        self._subscriber.set_offices(office.office_id for office in terms)
        self._pool.set_terms(terms)

    async def serve(self, stop: asyncio.Event, on_ready: Callable[[Ready], None] | None) -> None:
        end = self._settings.sessions_at_stop == "end"
        why = "client_stopped"
        self._stop_wanted = stop.set
        control = asyncio.create_task(self._control.run(), name="control socket")
        try:
            await self._serve(stop, on_ready)
        except ClientRevoked as error:
            end, why = True, "client_revoked"
            rule = self._policy.on_revoked
            log.error("revoked: no more work comes, nothing more is told", error=error.detail, on_revoked=rule)
            await end_turns(self._pool.sessions, rule, self._policy.limits.run_time_s, stop)
            raise
        except (Fenced, Unauthenticated, Forbidden):
            end = True
            raise
        finally:
            if end:
                await self._pool.close(why)
                await self._terminals.stop()
            else:
                await self._pool.leave()
                await self._terminals.detach()
            await self._recorder.finish(RECORDER_STOP_SECONDS)
            control.cancel()
            await asyncio.wait({control})
            self._ledger.close()

    async def _serve(self, stop: asyncio.Event, on_ready: Callable[[Ready], None] | None) -> None:
        live = await self._recovery.find()
        registered = await self._register(stop, live)
        if registered is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(loop)
                    for loop in (
                        self._outbox.run(),
                        self._uplink.run(),
                        self._leases.run(),
                        self._recorder.run(),
                        self._policy_watch.run(),
                        self._calls.run(),
                        beat(self._standing.tell, self._settings.heartbeat_seconds),
                        keep_pulse(self._connection, self._link.report_connection),
                        self._tokens.keep_fresh(),
                    )
                ]
                await self._recovery.run(*registered)
                background = (self._keeper.run(), self._forecaster.run(), self._pause.run())
                loops += [group.create_task(loop) for loop in background]
                intake = [group.create_task(self._claimer.run())]
                if self._settings.realtime:
                    intake.append(group.create_task(self._subscriber.run()))
                announcing = group.create_task(self._announce(on_ready))
                await stop.wait()
                log.info("stopping", sessions=self._settings.sessions_at_stop)
                for task in (*intake, announcing):
                    task.cancel()
                await self._wind_down()
                for task in loops:
                    task.cancel()
        except BaseExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from None

    async def _register(self, stop: asyncio.Event, live: list[SessionId]) -> tuple[Registration, float] | None:
        """Registers, however long the office is away; None when the client is to stop before that.

        Returns: what the office says, and when it was asked, on the lease clock.
        """
        restarted = self._journal.machine_restarted
        held = [
            (entry.command_id, entry.attempt)
            for entry in self._journal.entries()
            if entry.state == "finished" or not restarted
        ]
        start = StartId(uuid4())
        pause = 0.5
        while not stop.is_set():
            asked_at = lease_clock()
            try:
                starts = self._journal.begins(start)
                registration = await self._link.register(
                    self._capabilities(), self._capacity(), VERSION, held, live, start, starts, restarted
                )
            except Unavailable as error:
                log.warning("not registered yet", error=error.detail)
                try:
                    async with asyncio.timeout(pause):
                        await stop.wait()
                except TimeoutError:
                    pause = min(pause * 2, 10.0)
                continue
            self._journal.began(start)
            self._on_terms(registration.offices)
            log.info("registered", epoch=registration.epoch, offices=[office.name for office in registration.offices])
            return registration, asked_at
        return None

    def _capabilities(self) -> dict[str, Any]:
        found: dict[str, Any] = {"agents": {name: adapter.version() or "" for name, adapter in self._adapters.items()}}
        if self._policy.default_agent in self._adapters:
            found["default_agent"] = self._policy.default_agent
        return found

    def _capacity(self) -> int:
        return self._policy.limits.max_sessions

    async def _announce(self, on_ready: Callable[[Ready], None] | None) -> None:
        await self._claimer.has_claimed()
        if self._settings.realtime:
            try:
                async with asyncio.timeout(LIVE_SECONDS):
                    await self._connection.until_live()
            except TimeoutError:
                log.warning("hints do not come yet; polling")
        state = str(self._connection.standing)
        log.info("ready", state=state)
        if on_ready is not None:
            on_ready(Ready(str(self._link.client_id), state))

    async def _wind_down(self) -> None:
        """Takes nothing new; ends what runs, or leaves it; tells the office all of it, as far as it listens."""
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                if self._settings.sessions_at_stop == "keep":
                    await self._leave()
                else:
                    await self._executor.stop(self._settings.stop_seconds / 2)
                    await self._outbox.emptied()
        except TimeoutError:
            log.warning("some results wait in the journal for the next start")
        if self._settings.sessions_at_stop == "end":
            await self._pool.close("client_stopped")
        else:
            await self._pool.leave()
        try:
            async with asyncio.timeout(UPLINK_STOP_SECONDS):
                await self._uplink.flush()
                if self._settings.sessions_at_stop == "end":
                    await self._link.sign_off()
        except TimeoutError:
            log.warning("some output did not reach the office")
        except OfficeError as error:
            log.warning("not signed off", error=error.detail)

    async def _leave(self) -> None:
        """Turns go on in their terminals; the office waits a while for the process that will follow them."""
        await self._executor.leave(self._settings.stop_seconds / 2)
        running = [
            (entry.command_id, entry.attempt) for entry in self._journal.entries() if entry.state in ("typing", "typed")
        ]
        try:
            await self._link.renew_leases(running, self._settings.return_seconds)
        except Unavailable as error:
            log.warning("the office does not know that this client will be back", error=error.detail)


def _nothing() -> None:
    """Until it serves."""
