"""Which files a persona may change, by patterns as in .gitignore; without any pattern, all of them."""

from collections.abc import Iterable, Sequence

import pathspec
import structlog

log = structlog.get_logger(__name__)


class Scope:
    """Patterns mean what they mean in a .gitignore at the root of the repository, `!` included; later ones win."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._is_all = not patterns
        self._spec = pathspec.GitIgnoreSpec.from_lines(pattern for pattern in patterns if _is_pattern(pattern))

    def __bool__(self) -> bool:
        """Whether anything is outside."""
        return not self._is_all

    def outside(self, files: Iterable[str]) -> list[str]:
        """Those of the files, relative to the root, that may not be changed; sorted, each once."""
        if self._is_all:
            return []
        return sorted({file for file in files if not self._spec.match_file(file)})


def _is_pattern(pattern: str) -> bool:
    """What git would not understand allows nothing."""
    try:
        pathspec.GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        log.warning("no pattern of a scope", pattern=pattern)
        return False
    return True
