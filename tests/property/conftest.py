"""One PostgreSQL for all of it."""

from tests.support.embedded import embedded_postgres

__all__ = ["embedded_postgres"]
