"""What the tests of one worker share, wherever they stand: one PostgreSQL, on which each has databases of its own."""

from tests.support.embedded import embedded_postgres

__all__ = ["embedded_postgres"]
