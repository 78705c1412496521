"""What a tab of a session's detail is."""

from abc import ABC, abstractmethod

from office_server.dashboard.feed import News
from office_server.dashboard.visit import Visit
from office_server.picture_rows import SeenSession


class Tab(ABC):
    """Made when it is chosen, in the place where it is shown; forgotten when another one is."""

    def __init__(self, visit: Visit, seen: SeenSession) -> None:
        self.visit = visit
        self.words = visit.words
        self.seen = seen

    @abstractmethod
    async def build(self) -> None:
        """Fills the place. Raises OfficeError when what it shows cannot be had."""

    async def look(self, seen: SeenSession, news: News) -> None:  # noqa: B027 - doing nothing is the common answer
        """Something is new. Most tabs show what was there when they were opened."""
