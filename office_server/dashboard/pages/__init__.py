"""The pages, in the order in which they stand in the navigation. A new one is imported here."""

from office_server.dashboard.pages import attention, sessions

_IN_ORDER = (attention, sessions)


def register() -> None:
    """Nothing is left to do: importing a page registers it."""
