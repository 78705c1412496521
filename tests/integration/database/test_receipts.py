"""Receipts: the steps of each attempt stay visible, also of those that another one followed."""

from datetime import UTC, datetime, timedelta

from tests.integration.database.world import Row, World, refused

LONG_AGO = "2020-01-01T00:00:00Z"


async def attempts(world: World, command: Row) -> list[Row]:
    return await world.service.ask(
        "select * from command_attempts where command_id = %s order by attempt", command["id"]
    )


async def test_what_was_given_back_rescued_and_failed_is_kept_with_its_times(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.prompt(office, max_attempts=3)
    (held,) = await client.claim()
    await client.give_back(held)
    (held,) = await client.claim()
    await client.fail(held, "died", p_typed_at=LONG_AGO)
    await world.the_pause_ends(command)
    (held,) = await client.claim()
    await client.complete(held)
    first, second = await attempts(world, command)
    assert (first["attempt"], first["ended"], first["typed_at"]) == (1, "given_back", None)
    assert first["client_id"] == client.id
    assert first["claimed_at"]
    assert first["offered_at"] <= first["claimed_at"]
    assert (second["attempt"], second["ended"], second["error_code"]) == (2, "failed", "turn_error")
    assert second["typed_at"]
    assert second["reported_at"]
    now = await world.now(command)
    assert now["offered_at"] >= second["reported_at"]
    assert now["offered_at"] > now["created_at"]
    assert now["reported_at"]


async def test_an_attempt_whose_client_vanished_says_so(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE"})
    await client.claim()
    await world.lease_runs_out(command)
    await world.service.call("rescue_commands")
    (first,) = await attempts(world, command)
    assert first["ended"] == "rescued"


async def test_work_was_over_when_its_client_says_but_neither_before_its_claim_nor_after_now(
    world: World,
) -> None:
    office = await world.office()
    client = await world.client(office)
    for told in (LONG_AGO, datetime.now(UTC) + timedelta(days=1), None):
        command = await world.prompt(office)
        (held,) = await client.claim()
        await client.complete(held, p_finished_at=told)
        now = await world.now(command)
        assert now["claimed_at"] <= now["finished_at"] <= now["reported_at"]


async def test_nobody_writes_receipts_by_hand(world: World) -> None:
    for verb in ("delete from command_attempts", "update command_attempts set ended = 'failed'"):
        with refused("42501"):
            await world.service.ask(verb)
