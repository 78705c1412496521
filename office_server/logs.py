"""How the server logs: one line per event on standard error, and libraries only when something is wrong."""

import logging
import sys

import structlog

from office_server.settings import OfficeSettings


def configure(settings: OfficeSettings) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    show = structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            show,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Below this, libraries would show addresses that hold the service key.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
