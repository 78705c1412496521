"""What the pages share in this process: made when the server starts, found by every page."""

from dataclasses import dataclass
from typing import cast

from nicegui import app

from office_server.dashboard.feed import Feeds
from office_server.dashboard.signing import Signing
from office_server.services import Services

BASE = "/dashboard"
"""Below this path is all of it."""


@dataclass(frozen=True)
class Shared:
    services: Services
    feeds: Feeds
    signing: Signing
    style_version: str
    """Changes with the style sheet, so that no browser keeps an old one."""


def keep(shared: Shared) -> None:
    app.state.semo = shared


def shared() -> Shared:
    return cast("Shared", app.state.semo)
