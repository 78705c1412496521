"""The window's words: one file for each language, English where another says nothing."""

import os
import tomllib
from pathlib import Path

from PySide6.QtCore import QLocale

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).parent / "words"


def language() -> str:
    """The one that SEMO_LANGUAGE names, else the system's, else English."""
    wanted = os.environ.get("SEMO_LANGUAGE") or QLocale.system().name()
    return wanted[:2] if wanted[:2] in LANGUAGES else "en"


class Words:
    def __init__(self, name: str) -> None:
        self.language = name if name in LANGUAGES else "en"
        self._texts = read(self.language)

    def __call__(self, key: str, **filling: object) -> str:
        return self._texts[key].format(**filling)

    def of(self, group: str, name: str) -> str:
        """The word for a name that others gave; the name itself where there is none."""
        return self._texts.get(f"{group}.{name}", name)


def read(name: str) -> dict[str, str]:
    """All texts of a language, as `group.key`."""
    told = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return {f"{group}.{key}": text for group, texts in told.items() for key, text in texts.items()}
