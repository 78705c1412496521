"""Pictures that the agent made in its worktree, as its machine sends them: the latest first, each when it is wanted."""

from datetime import datetime
from functools import partial
from typing import Any

from nicegui import ui

from office_server.dashboard.bits import Ago, attributed, button, element, empty, text
from office_server.dashboard.tabs.base import Tab
from office_server.dashboard.work_seen import look_at_work
from office_server.routes import commands
from shared.errors import OfficeError

_AT_ONCE = 6
"""So many are fetched by themselves; the others when somebody asks."""


class Screenshots(Tab):
    async def build(self) -> None:
        words = self.words
        if not self.visit.may(commands.insert_command) or self.seen.ended_at is not None:
            ended = self.seen.ended_at is not None
            empty(words("work.ended" if ended else "work.operators"), words("work.machine"))
            return
        asking = empty(words("work.asking"), words("work.machine"))
        place = element("div", "shots")
        try:
            found = await look_at_work(self.visit, self.seen.id)
        except OfficeError as error:
            if not asking.is_deleted:
                asking.clear()
                with asking:
                    text("p", error.detail, "title")
            return
        if place.is_deleted:
            return
        asking.delete()
        pictures: list[dict[str, Any]] = found["pictures"]
        with place:
            if not pictures:
                empty(words("shots.none"), words("shots.none_hint"))
            shown = [(one, self._figure(one)) for one in pictures]
            if found["pictures_total"] > len(pictures):
                text("p", words("shots.more", more=found["pictures_total"] - len(pictures)), "quiet")
        for one, frame in shown[:_AT_ONCE]:
            await self._fetch(one, frame)

    def _figure(self, one: dict[str, Any]) -> ui.element:
        """Where a picture will stand, with its name below."""
        with element("figure", "sheet shot"):
            frame = element("div", "frame")
            with frame:
                button(self.words("shots.show"), partial(self._fetch, one, frame))
            with element("figcaption"):
                text("span", str(one["path"]), "mono")
                text("span", _size(int(one["bytes"])), "quiet")
                Ago(datetime.fromisoformat(one["at"]), "quiet")
        return frame

    async def _fetch(self, one: dict[str, Any], frame: ui.element) -> None:
        try:
            found = await look_at_work(self.visit, self.seen.id, str(one["path"]))
        except OfficeError as error:
            said, source = error.detail, None
        else:
            said, source = "", f"data:{found['media_type']};base64,{found['data']}"
        if frame.is_deleted:
            return
        frame.clear()
        with frame:
            if source is None:
                text("p", said, "quiet")
            else:
                with element("a", href=source, download=str(one["path"]).rpartition("/")[2]):
                    attributed(element("img"), src=source, alt=str(one["path"]))


def _size(size: int) -> str:
    return f"{size / 1024:.0f} KB" if size >= 1024 else f"{size} B"
