"""What a command costs in messages of Realtime: docs/supabase.md says it, and here it is counted."""

import re
from pathlib import Path

from tests.integration.database.world import World

DOCUMENT = Path(__file__).parents[3] / "docs" / "supabase.md"


async def sent(world: World) -> dict[str, int]:
    """Broadcasts so far, by the last part of their topic."""
    rows = await world.owner.ask(
        "select split_part(topic, ':', 3) as channel, count(*)::int as n from realtime.messages group by 1"
    )
    return {row["channel"]: row["n"] for row in rows}


async def test_the_document_says_how_many_broadcasts_a_prompt_sends(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    made = await world.command(office, "create_session", {"role": "BE"})
    await client.claim()
    session = await client.open_session(office, made)
    await client.complete(made)
    before = await sent(world)

    async def next_call() -> None:
        """Each call of a client is a transaction of its own; in this world all are one."""
        await world.owner.ask("select set_config('semo.told', '', true)")

    prompt = await world.prompt(office, session)
    await next_call()
    await client.claim()
    await next_call()
    await client.typed(prompt, session)
    await next_call()
    await client.complete(prompt, p_session_status="ready")
    after = await sent(world)

    counted = {channel: after[channel] - before.get(channel, 0) for channel in after}
    said = re.search(
        r"a prompt in a session.*?(\d+) on `commands`.*?(\d+) on `events`", DOCUMENT.read_text(), re.DOTALL
    )
    assert said, f"docs/supabase.md does not say what a prompt costs: {counted}"
    assert counted == {"commands": int(said[1]), "events": int(said[2])}
