"""The pages, in the order in which they stand in the navigation. A new one is imported and named here."""

from office_server.dashboard.frame import PAGES
from office_server.dashboard.pages import (
    attention,
    commands,
    costs,
    execute,
    machines,
    plans,
    pool,
    sessions,
    settings,
    spec_tasks,
)

_IN_ORDER = (attention, sessions, execute, plans, spec_tasks, machines, pool, commands, costs, settings)


def register() -> None:
    """Importing a page registers it; this puts them in order."""
    order = [module.__name__.rsplit(".", 1)[-1] for module in _IN_ORDER]
    PAGES.sort(key=lambda page: order.index(page.name))
