"""The fixtures of the embedded default's tests."""

from tests.support.embedded import embedded_postgres

__all__ = ["embedded_postgres"]
