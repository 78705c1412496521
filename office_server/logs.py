"""How the server logs: one line per event on standard error, and libraries only when something is wrong."""

import logging
import sys

from office_server.settings import OfficeSettings
from shared import logs


def configure(settings: OfficeSettings) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logs.configure(sys.stderr, settings.log_format, level)
    # Below this, libraries would show addresses that hold the service key.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
