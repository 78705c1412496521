"""Tells the office that this client lives, in step; what else it then tells is `standing`'s to say."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.errors import Unavailable

log = structlog.get_logger(__name__)


async def beat(tell: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Never ends by itself. The first one is at once.

    Raises:
        Fenced: a newer process of this client has taken over.
        Forbidden: this client was revoked.
    """
    while True:
        try:
            await tell()
        except Unavailable as error:
            log.warning("heartbeat not heard", error=error.detail)
        await asyncio.sleep(seconds)
