"""When the claimer asks the table: for every hint once, and for none that its own asking has met already."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

from remote_client.claimer import Claimer
from remote_client.commands import Command
from remote_client.executor import Executor
from remote_client.office_link import OfficeLink
from shared.ids import Attempt, ClientId, CommandId, OfficeId
from shared.states import CommandType

NEVER = 3600.0
FIRST, SECOND = Attempt(1), Attempt(2)


class Table:
    """Stands for the link and the executor: each claim waits until the test lets it be answered."""

    client_id = ClientId(uuid4())

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[list[Command]]] = asyncio.Queue()
        self.taken: list[CommandId] = []

    async def claim_commands(self, limit: int, lease_seconds: int, holding_back: Any) -> list[Command]:
        answer: asyncio.Future[list[Command]] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await answer

    def submit(self, commands: list[Command], asked_at: float) -> None:
        self.taken += [command.command_id for command in commands]


@asynccontextmanager
async def claiming(table: Table) -> AsyncGenerator[Claimer]:
    claimer = Claimer(
        cast(OfficeLink, table),
        cast(Executor, table),
        NEVER,
        10,
        30,
        hints_come=lambda: True,
        holding_back=lambda: None,
        can_note=lambda: True,
    )
    running = asyncio.create_task(claimer.run())
    try:
        yield claimer
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def command() -> Command:
    return Command(CommandId(uuid4()), Attempt(1), OfficeId(uuid4()), None, CommandType.SEND_PROMPT, {})


async def until_at_rest() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_hint_that_comes_while_its_command_is_being_claimed_asks_for_nothing_more() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        answer = await table.asked.get()
        claimer.hint(wanted.command_id, FIRST)
        answer.set_result([wanted])
        await until_at_rest()

        assert table.taken == [wanted.command_id]
        assert table.asked.empty()


async def test_a_hint_of_another_command_meanwhile_is_looked_for_at_once() -> None:
    table, first, second = Table(), command(), command()
    async with claiming(table) as claimer:
        answer = await table.asked.get()
        claimer.hint(first.command_id, FIRST)
        claimer.hint(second.command_id, FIRST)
        answer.set_result([first])
        (await table.asked.get()).set_result([second])
        await until_at_rest()

        assert table.taken == [first.command_id, second.command_id]
        assert table.asked.empty()


async def test_a_gap_that_opens_while_it_claims_is_looked_into_whatever_was_claimed() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        answer = await table.asked.get()
        claimer.hint(wanted.command_id, FIRST)
        claimer.wake()
        answer.set_result([wanted])
        await until_at_rest()

        assert not table.asked.empty()


async def test_the_second_hint_of_what_was_claimed_is_passed_over() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        (await table.asked.get()).set_result([wanted])
        await until_at_rest()
        claimer.hint(wanted.command_id, FIRST)
        await until_at_rest()

        assert table.asked.empty()


async def test_a_place_that_gets_free_meanwhile_matters_only_to_what_still_waits() -> None:
    table, first, second = Table(), command(), command()
    async with claiming(table) as claimer:
        answer = await table.asked.get()
        claimer.hint(first.command_id, FIRST)
        claimer.place_is_free()
        answer.set_result([first])
        await until_at_rest()
        assert table.asked.empty()

        claimer.hint(second.command_id, FIRST)
        answer = await table.asked.get()
        claimer.place_is_free()
        answer.set_result([])
        (await table.asked.get()).set_result([second])
        await until_at_rest()
        assert table.taken == [first.command_id, second.command_id]


async def test_the_second_word_of_what_another_machine_took_costs_nothing_and_its_next_offer_is_looked_for() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        (await table.asked.get()).set_result([])
        await until_at_rest()
        claimer.hint(wanted.command_id, FIRST)
        (await table.asked.get()).set_result([])
        await until_at_rest()
        claimer.hint(wanted.command_id, FIRST)
        await until_at_rest()
        assert table.asked.empty()

        claimer.hint(wanted.command_id, SECOND)
        (await table.asked.get()).set_result([wanted])
        await until_at_rest()
        assert table.taken == [wanted.command_id]


async def test_while_many_wait_each_free_place_has_the_table_looked_at() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        (await table.asked.get()).set_result([])
        await until_at_rest()
        claimer.place_is_free()
        await until_at_rest()
        assert table.asked.empty()

        claimer.hint_of_many()
        (await table.asked.get()).set_result([])
        await until_at_rest()
        claimer.place_is_free()
        (await table.asked.get()).set_result([wanted])
        await until_at_rest()
        assert table.taken == [wanted.command_id]


async def test_a_hint_that_came_before_its_command_could_be_seen_is_looked_into_again() -> None:
    table, wanted = Table(), command()
    async with claiming(table) as claimer:
        (await table.asked.get()).set_result([])
        await until_at_rest()
        claimer.hint(wanted.command_id, FIRST)
        (await table.asked.get()).set_result([])
        async with asyncio.timeout(30):
            (await table.asked.get()).set_result([wanted])
        await until_at_rest()
        assert table.taken == [wanted.command_id]
