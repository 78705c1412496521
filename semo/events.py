"""`semo events`: what happens in an office, a line each, from any event on; taken up again where it broke off."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from rich.text import Text

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

_AGAIN_SECONDS = 1.0
_UNTOLD = ("at", "author", "by")
Office = AbstractAsyncContextManager[OfficeApi]


async def follow(office: Office, after: str | None, kinds: Sequence[str], *, to_now: bool, as_json: bool) -> None:
    """Until Ctrl-C, or `to_now`: with what is kept until now.

    Raises:
        SemoError: the office refused it, or does not answer from the first; one that stops later is waited for.
    """
    is_first = True
    async with office as api:
        while True:
            try:
                wait = 0 if to_now else None
                async for told in api.stream("/events", after=after, kinds=list(kinds), wait=wait):
                    is_first = False
                    if told.event == "end" and told.data["code"] != "server_stops":
                        raise SemoError(told.data["detail"], exit_code=Exit.REFUSED)
                    if told.event != "end":
                        after = told.place
                        console.machine(told.data) if as_json else console.out.print(line(told.data))
            except SemoError as error:
                if is_first or error.exit_code != Exit.UNREACHABLE:
                    raise
            if to_now:
                return
            await asyncio.sleep(_AGAIN_SECONDS)


def line(event: dict[str, Any]) -> Text:
    """When, what, and the words of its detail; ids by their beginnings."""
    text = Text(f"{str(event['at'])[11:19]} ", style="dim")
    text.append(f"{event['kind']:<22} ", style="bold")
    said = [
        f"{name.removesuffix('_id')} {_short(value)}"
        for name, value in event["detail"].items()
        if name not in _UNTOLD and isinstance(value, str | int | float)
    ]
    if event["session_id"] and "session_id" not in event["detail"]:
        said.append(f"session {_short(event['session_id'])}")
    return text.append(" · ".join(said))


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text[:8] if len(text) == 36 and text.count("-") == 4 else text[:100]
