"""The feed that the pages of an office share, when what it is answered makes no sense."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

from office_server.dashboard.feed import News, OfficeFeed
from office_server.services import Services
from shared.ids import OfficeId, SessionId


class Told:
    """A page, and what it was told."""

    def __init__(self) -> None:
        self.wanted = set[SessionId]()
        self.troubles: list[str | None] = []

    def look(self, news: News) -> None:
        self.troubles.append(news.trouble)


async def test_a_picture_that_makes_no_sense_is_said_and_ends_no_server() -> None:
    answers: list[Any] = [ValueError("online: None"), SimpleNamespace(sessions=[])]

    async def picture(_: OfficeId) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pages = SimpleNamespace(picture=picture)
    services = cast("Services", SimpleNamespace(backend=SimpleNamespace(pages=pages), hints=None))
    feed, page = OfficeFeed(services, OfficeId(uuid4())), Told()
    feed.join(page)
    await feed.round()
    await feed.round()
    assert page.troubles == ["internal", None]
