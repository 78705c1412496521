"""Where one database is and how each role logs in to it. Holds passwords, therefore has no `repr`."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, repr=False)
class Database:
    """One database of a server on this machine."""

    port: int
    passwords: Mapping[str, str]
    name: str = "postgres"

    def dsn_for(self, role: str) -> str:
        """A connection URL with the password of one of `keys.DATABASE_LOGINS`: a secret."""
        password = quote(self.passwords[role], safe="")
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{self.name}"
