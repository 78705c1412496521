"""How much sooner a waiting Claude Code takes a prompt than one that is started for it; with an API on loopback."""

import asyncio
import time
from collections.abc import AsyncIterator

from benchmarks.figures import Figure
from remote_client.agents.adapter import Typing
from tests.support.claude_terminal import READY_SECONDS, TURN_SECONDS, ClaudeTerminal
from tests.support.messages_api import MessagesApi, say

ROUNDS = 8
WAITED_SECONDS = 2.0
"""For how long a warm one has been ready, as one of a pool has."""


async def claude() -> AsyncIterator[Figure]:
    """From the wish to the agent's own word that the prompt has arrived; the first of a process takes the longest."""
    cold, first, later = list[float](), list[float](), list[float]()
    async with MessagesApi.serving() as api:
        api.script("BENCH", say("[SEMO:DONE]"))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            async with ClaudeTerminal.running(api.url, ready=False) as terminal:
                await terminal.driver.until_ready(READY_SECONDS)
                cold.append(await _milliseconds_to_confirm(terminal, began))
            async with ClaudeTerminal.running(api.url) as terminal:
                await asyncio.sleep(WAITED_SECONDS)
                for prompts in (first, later, later):
                    prompts.append(await _milliseconds_to_confirm(terminal, time.perf_counter()))
    peer, begun = Figure("", cold), Figure("", first)
    figure = Figure("claude_warm_prompt_ms", [*first, *later])
    figure.facts.update(
        unit="ms until the prompt is confirmed",
        first_p50=round(begun.percentile(50), 1),
        cold_p50=round(peer.percentile(50), 1),
        cold_p95=round(peer.percentile(95), 1),
        ratio_cold_to_warm_p50=round(peer.percentile(50) / figure.percentile(50), 1),
        ratio_cold_to_first_p50=round(peer.percentile(50) / begun.percentile(50), 1),
    )
    yield figure


async def _milliseconds_to_confirm(terminal: ClaudeTerminal, began: float) -> float:
    confirmed: list[float] = []
    typing = Typing(
        lambda: None, lambda _: None, lambda: confirmed.append(time.perf_counter()), lambda _status, _evidence: None
    )
    await terminal.driver.run_prompt("BENCH please", TURN_SECONDS, typing)
    return (confirmed[0] - began) * 1000
