"""What can go wrong when the embedded default starts, in words for the person who started it.

EmbeddedError                  code, what happened, what was kept, what to do
├── DataFolderBusy             another process serves this folder now
├── ForeignDataFolder          the folder belongs to another user, or is used for something else
├── OtherPostgresVersion       the cluster was made by another major version
├── KeysMissing                the folder has no keys, or not those of its database
├── NotEnoughSpace             the disk is (nearly) full
├── PortBusy                   somebody else listens on the port asked for
├── PostgresFailed             PostgreSQL did not start, or died again and again
└── MigrationError             a migration failed, changed or disappeared (see `migrate`)
"""

from typing import ClassVar


class EmbeddedError(Exception):
    """`what` happened, what was `kept`, and what to `do` about it; `code` is stable."""

    code: ClassVar[str] = "embedded_error"

    def __init__(self, what: str, *, kept: str = "", do: str = "") -> None:
        self.what = what
        self.kept = kept
        self.do = do
        super().__init__(" · ".join(part for part in (what, kept, do) if part))

    def as_dict(self) -> dict[str, str]:
        """The form in which a parent process reads it from the ready line."""
        return {"error": self.code, "message": self.what, "kept": self.kept, "do": self.do}


class DataFolderBusy(EmbeddedError):
    code = "data_folder_busy"


class ForeignDataFolder(EmbeddedError):
    code = "foreign_data_folder"


class OtherPostgresVersion(EmbeddedError):
    code = "other_postgres_version"


class KeysMissing(EmbeddedError):
    code = "keys_missing"


class NotEnoughSpace(EmbeddedError):
    code = "not_enough_space"


class PortBusy(EmbeddedError):
    code = "port_busy"


class PostgresFailed(EmbeddedError):
    code = "postgres_failed"


class MigrationError(EmbeddedError):
    code = "migration_failed"
