"""Commands and sessions by a model of a few lines, held against the real SQL functions step by step.

The model says for every call what it changes, or that it is refused; after each one, all rows are compared.
Short in every run, long with `-m proof`.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from local_supabase.database import Database
from shared.states import SessionStatus
from tests.integration.database.test_transitions import SESSIONS as SESSION_ARROWS
from tests.property.command_model import (
    FINAL,
    KEYS,
    KINDS,
    LOOK,
    ROLE_PROMPT,
    SESSION_PROMPT,
    TYPES_INTO_A_TERMINAL,
    WITHOUT_A_SESSION,
    Command,
    Machine,
    Terminal,
)  # fmt: skip
from tests.support.embedded import EmbeddedPostgres


class Game(RuleBasedStateMachine):
    dsn: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.connection = psycopg.Connection[dict[str, Any]].connect(self.dsn, row_factory=dict_row)
        self.commands: dict[UUID, Command] = {}
        self.terminals: dict[UUID, Terminal] = {}
        self.office = self.ask("insert into offices (name, session_limit) values (%s, 90) returning id", f"o {uuid4()}")
        self.machines: list[Machine] = []
        for _ in range(2):
            machine = Machine(self.ask("insert into remote_clients (name, capacity) values ('m', 100) returning id"))
            self.ask("insert into client_offices values (%s, %s) returning client_id", machine.client, self.office)
            self.machines.append(machine)
            self.register(machine, [], [])

    def teardown(self) -> None:
        self.connection.rollback()
        self.connection.close()

    # Words ------------------------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def ask(self, query: str, *values: Any) -> Any:
        return next(iter(self.rows(query, *values)[0].values()))

    def refused(self, code: str, query: str, *values: Any) -> None:
        with pytest.raises(psycopg.Error) as refusal, self.connection.transaction():
            self.rows(query, *values)
        assert refusal.value.sqlstate == code, refusal.value

    def register(self, machine: Machine, alive: list[UUID], held: list[tuple[UUID, int]]) -> None:
        start = uuid4()
        answer = self.ask(
            "select register_client(%s, %s, 100, 'test', %s, %s, %s, %s)",
            machine.client, json.dumps({"agents": {"shell": "1"}, "default_agent": "shell"}), alive,
            json.dumps([{"command_id": str(command), "attempt": attempt} for command, attempt in held]),
            start, [machine.start] if machine.start else [],
        )  # fmt: skip
        machine.epoch, machine.start, machine.claims, machine.unanswered = answer["epoch"], start, 0, None

    def pick(self, data: st.DataObject, *statuses: str) -> UUID | None:
        found = [one for one, command in self.commands.items() if command.status in (statuses or ("processing",))]
        return data.draw(st.sampled_from(found)) if found else None

    def held(self, data: st.DataObject) -> tuple[UUID, Command, Machine] | None:
        """A command whose owner is the process that claimed it."""
        found = [
            one for one, command in self.commands.items()
            if command.status == "processing" and command.holder is not None and command.epoch == command.holder.epoch
        ]  # fmt: skip
        if not found:
            return None
        command = self.commands[one := data.draw(st.sampled_from(found))]
        assert command.holder is not None
        return one, command, command.holder

    # Asking -----------------------------------------------------------------------------------------------------------

    @rule(kind=st.sampled_from(WITHOUT_A_SESSION), tries=st.integers(1, 3))
    def ask_for_work(self, kind: str, tries: int) -> None:
        self.insert(kind, None, tries if kind == ROLE_PROMPT else 1)

    @precondition(lambda self: self.terminals)
    @rule(data=st.data(), kind=st.sampled_from((SESSION_PROMPT, KEYS, LOOK)))
    def ask_a_session(self, data: st.DataObject, kind: str) -> None:
        session = data.draw(st.sampled_from(list(self.terminals)))
        if self.terminals[session].status == "terminated":
            command_type, payload = KINDS[kind]
            self.refused(
                "SO007",
                "insert into agent_commands (office_id, session_id, command_type, payload) values (%s, %s, %s, %s)",
                self.office, session, command_type, json.dumps(payload),
            )  # fmt: skip
        else:
            self.insert(kind, session, 1)

    def insert(self, kind: str, session: UUID | None, tries: int) -> None:
        command_type, payload = KINDS[kind]
        [row] = self.rows(
            "insert into agent_commands (office_id, session_id, command_type, payload, max_attempts) "
            "values (%s, %s, %s, %s, %s) returning id, seq",
            self.office, session, command_type, json.dumps(payload), tries,
        )  # fmt: skip
        self.commands[row["id"]] = Command(kind, session, tries, row["seq"])

    @rule(data=st.data(), which=st.integers(0, 1))
    def open_a_session(self, data: st.DataObject, which: int) -> None:
        machine, session = self.machines[which], uuid4()
        self.rows(
            "select open_session(%s, %s, %s, %s, 'BE', 'shell', 'warm')",
            machine.client, machine.epoch, session, self.office,
        )  # fmt: skip
        self.rows("select update_session(%s, %s, %s, 'ready')", machine.client, machine.epoch, session)
        self.terminals[session] = Terminal(machine)

    @precondition(lambda self: self.terminals)
    @rule(data=st.data(), status=st.sampled_from([status.value for status in SessionStatus]))
    def move_a_session(self, data: st.DataObject, status: str) -> None:
        session = data.draw(st.sampled_from(list(self.terminals)))
        terminal = self.terminals[session]
        call = "select update_session(%s, %s, %s, %s)"
        values = (terminal.owner.client, terminal.owner.epoch, session, status)
        if status == terminal.status or status in SESSION_ARROWS[terminal.status]:
            self.rows(call, *values)
            terminal.status = status
        else:
            self.refused("SO002", call, *values)

    # Claiming ---------------------------------------------------------------------------------------------------------

    def free_for(self, machine: Machine) -> set[UUID]:
        return {one for one, command in self.commands.items() if self.is_free(command, machine)}

    def is_free(self, command: Command, machine: Machine) -> bool:
        if command.status != "pending" or command.may_wait or command.too_late:
            return False
        if command.session is None:
            return True
        before = [
            other for other in self.commands.values()
            if other.session == command.session and other.lane == command.lane
            and (other.status == "processing" or (other.status == "pending" and other.seq < command.seq))
        ]  # fmt: skip
        return self.terminals[command.session].owner is machine and not before

    @rule(which=st.integers(0, 1), is_answered=st.booleans())
    def claim(self, which: int, is_answered: bool) -> None:
        """An answer that is lost leaves the claim to be told again."""
        machine = self.machines[which]
        expected = self.free_for(machine)
        if machine.unanswered is not None:
            expected |= {
                one for one, command in self.commands.items()
                if command.status == "processing" and command.holder is machine and command.epoch == machine.epoch
                and command.claim is not None and command.claim >= machine.unanswered
            }  # fmt: skip
        machine.claims += 1
        rows = self.rows(
            "select * from claim_commands(%s, %s, 100, 30, null, %s, %s)",
            machine.client, machine.epoch, machine.claims, machine.unanswered,
        )  # fmt: skip
        assert {row["id"] for row in rows} == expected
        for row in rows:
            command = self.commands[row["id"]]
            command.status, command.holder, command.epoch = "processing", machine, machine.epoch
            command.claim, command.has_lease = machine.claims, True
        if is_answered:
            machine.unanswered = None
        elif machine.unanswered is None:
            machine.unanswered = machine.claims

    # What owners do ---------------------------------------------------------------------------------------------------

    @rule(data=st.data(), success=st.booleans(), retry=st.sampled_from([None, "died", "timeout"]))
    def complete(self, data: st.DataObject, success: bool, retry: str | None) -> None:
        if (found := self.held(data)) is None:
            return
        one, command, owner = found
        code = None if success else "turn_error"
        call = "select complete_command(%s, %s, %s, %s, %s, null, %s, null, null, null, null, '[]', %s)"
        values = (owner.client, owner.epoch, one, command.attempt, success, code, None if success else retry)
        assert self.ask(call, *values) is True
        command.last_result = (command.attempt, success, code, owner.client)
        tries = len(command.results) + 1
        if not success and retry and tries < min(command.max_attempts, {"died": 3, "timeout": 2}[retry]):
            command.results[command.attempt] = False
            command.offered_again(pause=True)
        else:
            command.over("completed" if success else "failed", success=success)
        assert self.ask(call, *values) is False, "told again, it is known"

    @rule(data=st.data())
    def report_lost(self, data: st.DataObject) -> None:
        if found := self.held(data):
            one, command, owner = found
            self.rows("select report_lost(%s, %s, %s, %s, 'x')", owner.client, owner.epoch, one, command.attempt)
            command.over("lost")

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if (found := self.held(data)) is None:
            return
        one, command, owner = found
        call = "select give_back_command(%s, %s, %s, %s)"
        values = (owner.client, owner.epoch, one, command.attempt)
        if command.typed:
            self.refused("SO002", call, *values)
        else:
            self.rows(call, *values)
            command.offered_again()

    @rule(data=st.data())
    def type_it(self, data: st.DataObject) -> None:
        if (found := self.held(data)) is None:
            return
        one, command, owner = found
        step = {"step": "typed", "command_id": str(one), "attempt": command.attempt, "at": "2026-01-01T00:00:00Z"}
        told = self.ask("select record_progress(%s, %s, %s)", owner.client, owner.epoch, json.dumps([step]))
        assert told == 1
        command.typed = True

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        if found := self.held(data):
            one, command, owner = found
            leases = json.dumps([{"command_id": str(one), "attempt": command.attempt}])
            assert len(self.rows("select * from renew_leases(%s, %s, %s)", owner.client, owner.epoch, leases)) == 1
            command.has_lease = True

    @rule(data=st.data(), lie=st.sampled_from(["epoch", "attempt", "other machine"]), what=st.integers(0, 3))
    def write_without_owning_it(self, data: st.DataObject, lie: str, what: int) -> None:
        if not self.commands:
            return
        one = data.draw(st.sampled_from(list(self.commands)))
        command = self.commands[one]
        owner = command.holder or self.machines[0]
        client, epoch, attempt = owner.client, owner.epoch, command.attempt
        if lie == "epoch":
            epoch -= 1
        elif lie == "attempt":
            attempt += 1
        else:
            other = next(machine for machine in self.machines if machine is not owner)
            client, epoch = other.client, other.epoch
        calls = [
            "select complete_command(%s, %s, %s, %s, true)", "select report_lost(%s, %s, %s, %s, 'x')",
            "select give_back_command(%s, %s, %s, %s)", "select complete_command(%s, %s, %s, %s, false)",
        ]  # fmt: skip
        self.refused("SO001", calls[what], client, epoch, one, attempt)

    @rule(data=st.data(), which=st.integers(0, 1), terminals_live=st.booleans())
    def restart(self, data: st.DataObject, which: int, terminals_live: bool) -> None:
        """With a journal that holds some of what was claimed: always what was typed, as a journal does."""
        machine = self.machines[which]
        claimed = {
            one: command for one, command in self.commands.items()
            if command.status == "processing" and command.holder is machine
        }  # fmt: skip
        untyped = [one for one, command in claimed.items() if not command.typed]
        kept = set(data.draw(st.lists(st.sampled_from(untyped), unique=True)) if untyped else [])
        kept |= {one for one, command in claimed.items() if command.typed}
        alive = [one for one, terminal in self.terminals.items() if terminals_live and terminal.status != "terminated"]
        self.register(machine, alive, [(one, self.commands[one].attempt) for one in kept])
        for one, command in claimed.items():
            if one in kept:
                command.epoch, command.has_lease, command.claim = machine.epoch, True, None
            else:
                command.offered_again()
        for one, terminal in self.terminals.items():
            if terminal.owner is machine and one not in alive:
                terminal.status = "terminated"

    # Time and people --------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def a_lease_runs_out(self, data: st.DataObject) -> None:
        if (one := self.pick(data)) is not None:
            self.rows("update agent_commands set lease_until = now() - interval '1 second' where id = %s", one)
            self.commands[one].has_lease = False

    @rule()
    def rescue(self) -> None:
        abandoned = [one for one in self.commands.values() if one.status == "processing" and not one.has_lease]
        assert self.ask("select rescue_commands()") == len(abandoned)
        for command in abandoned:
            if command.kind in TYPES_INTO_A_TERMINAL:
                command.over("lost")
            elif command.attempt >= 3:
                command.over("failed")
            else:
                command.offered_again()

    @rule(data=st.data())
    def a_pause_ends(self, data: st.DataObject) -> None:
        if (one := self.pick(data, "pending")) is not None:
            self.rows("update agent_commands set not_before = null where id = %s", one)
            self.commands[one].may_wait = False

    @rule(data=st.data())
    def a_deadline_passes(self, data: st.DataObject) -> None:
        if (one := self.pick(data, "pending", "processing")) is not None:
            self.rows("update agent_commands set deadline = now() - interval '1 second' where id = %s", one)
            self.commands[one].too_late = True
            self.commands[one].max_attempts = 1  # nothing is tried again after it

    @rule()
    def expire(self) -> None:
        expired = [one for one in self.commands.values() if one.status == "pending" and one.too_late]
        assert self.ask("select expire_commands()") == len(expired)
        for command in expired:
            command.status = "expired"

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if not self.commands:
            return
        one = data.draw(st.sampled_from(list(self.commands)))
        if self.commands[one].status == "pending":
            self.rows("select cancel_command(%s)", one)
            self.commands[one].status = "cancelled"
        elif self.commands[one].status == "processing":
            self.refused("SO002", "select cancel_command(%s)", one)

    # What always holds ------------------------------------------------------------------------------------------------

    @invariant()
    def the_tables_are_as_the_model_says(self) -> None:
        rows = self.rows(
            "select id, status::text, attempt, claimed_by, claim_epoch, typed_at is not null as typed, finished_at, "
            "lease_until, array(select attempt || ':' || success from agent_command_results "
            "where command_id = c.id order by 1) as results from agent_commands c where office_id = %s", self.office,
        )  # fmt: skip
        assert {row["id"] for row in rows} == self.commands.keys()
        for row in rows:
            command = self.commands[row["id"]]
            assert (row["status"], row["attempt"]) == (command.status, command.attempt), (row, command)
            if command.status in ("pending", "processing"):
                holder = command.holder.client if command.holder is not None else None
                assert (row["claimed_by"], row["claim_epoch"]) == (holder, command.epoch), (row, command)
                assert row["typed"] == command.typed, (row, command)
            assert row["results"] == [f"{attempt}:{str(ok).lower()}" for attempt, ok in sorted(command.results.items())]
            assert (row["finished_at"] is not None) == (command.status in FINAL), row
            assert (row["lease_until"] is not None) == (command.status == "processing"), row
        sessions = self.rows("select id, status::text, ended_at from agent_sessions where office_id = %s", self.office)
        assert {row["id"]: row["status"] for row in sessions} == {
            one: terminal.status for one, terminal in self.terminals.items()
        }
        for row in sessions:
            assert (row["ended_at"] is not None) == (row["status"] == "terminated"), row


@pytest.fixture(scope="module")
def database(embedded_postgres: EmbeddedPostgres) -> Iterator[Database]:
    with asyncio.Runner() as runner:
        fresh = embedded_postgres.fresh_database()
        yield runner.run(fresh.__aenter__())
        runner.run(fresh.__aexit__(None, None, None))


@pytest.mark.parametrize(
    ("games", "steps"),
    [
        pytest.param(25, 40, id="short"),
        pytest.param(1500, 80, id="long", marks=[pytest.mark.proof, pytest.mark.timeout(0)]),
    ],
)
def test_the_functions_do_what_the_model_says(database: Database, games: int, steps: int) -> None:
    Game.dsn = database.dsn_for("supabase_admin")
    run_state_machine_as_test(
        Game,
        settings=settings(
            max_examples=games, stateful_step_count=steps, deadline=None, print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )  # fmt: skip
