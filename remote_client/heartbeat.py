"""Tells the office that this client lives, and learns what the offices want of it."""

import asyncio
from collections.abc import Callable

import structlog

from remote_client.office_link import OfficeLink, OfficeTerms
from shared.errors import Unavailable

log = structlog.get_logger(__name__)


async def beat(link: OfficeLink, seconds: float, on_terms: Callable[[tuple[OfficeTerms, ...]], None]) -> None:
    """Never ends by itself.

    Raises:
        Fenced: a newer process of this client has taken over.
        Forbidden: this client was revoked.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            on_terms(await link.heartbeat())
        except Unavailable as error:
            log.warning("heartbeat not heard", error=error.detail)
