"""What becomes of running turns when this machine was shut out of its office: as the owner's policy says.

Nobody can be told of their ends any more; the recordings on this machine keep them.
"""

import asyncio
from collections.abc import Iterable
from typing import Literal

from remote_client.sessions import Session

OnRevoked = Literal["interrupt", "terminate", "finish"]
"""interrupt: the agent is asked to stop, as a person would; terminate: its processes are ended at once; finish: it may
end what it is at."""
INTERRUPT_SECONDS = 10.0


async def end_turns(sessions: Iterable[Session], rule: OnRevoked, run_time_seconds: float, stop: asyncio.Event) -> None:
    """Returns when no turn runs, when `stop` is set, or when the rule's time is over. Ends no session by itself."""
    if rule == "terminate":
        return
    running = [session for session in sessions if not session.settled.is_set()]
    if rule == "interrupt":
        await asyncio.gather(
            *(session.driver.interrupt("client_revoked") for session in running), return_exceptions=True
        )
    waiting = [asyncio.create_task(session.settled.wait()) for session in running]
    stopping = asyncio.create_task(stop.wait())
    settled = asyncio.ensure_future(asyncio.gather(*waiting))
    try:
        await asyncio.wait(
            {settled, stopping},
            timeout=run_time_seconds if rule == "finish" else INTERRUPT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        stopping.cancel()
        settled.cancel()
        await asyncio.wait({stopping, settled})
