"""All that the office server asks of Supabase, as typed methods, one file per kind of thing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from office_server.backend.approvals import Approvals
from office_server.backend.clients import Clients
from office_server.backend.commands import Commands
from office_server.backend.connection import Connection, connect
from office_server.backend.costs import Costs
from office_server.backend.events import Events
from office_server.backend.gitwork import GitWork
from office_server.backend.members import Members
from office_server.backend.offices import Offices
from office_server.backend.pages import Pages
from office_server.backend.personas import Personas
from office_server.backend.plans import Plans
from office_server.backend.sessions import Sessions
from office_server.backend.specs import Specs
from office_server.backend.tokens import Tokens
from office_server.backend.upkeep import Upkeep


class Backend:
    """A Supabase project as the office server sees it."""

    def __init__(self, connection: Connection) -> None:
        self.offices = Offices(connection)
        self.tokens = Tokens(connection)
        self.personas = Personas(connection)
        self.clients = Clients(connection)
        self.commands = Commands(connection)
        self.sessions = Sessions(connection)
        self.plans = Plans(connection)
        self.events = Events(connection)
        self.members = Members(connection)
        self.approvals = Approvals(connection)
        self.pages = Pages(connection)
        self.costs = Costs(connection)
        self.gitwork = GitWork(connection)
        self.specs = Specs(connection)
        self.upkeep = Upkeep(connection)


@asynccontextmanager
async def open_backend(
    supabase_url: str, service_role_key: str, timeout_seconds: float = 10.0
) -> AsyncGenerator[Backend]:
    """The project at `supabase_url` for as long as the block lasts. Does not fail when Supabase is away: calls do."""
    async with connect(supabase_url, service_role_key, timeout_seconds) as connection:
        yield Backend(connection)
