"""Every text of the pages, by key, in each language that they speak: `words/LANGUAGE.toml`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

LANGUAGES = {"en": "English", "ko": "한국어"}
COOKIE = "semo_language"
_FOLDER = Path(__file__).parent / "words"


class Words:
    """The texts of one language: `words("sessions.none")`, `words("machines.places", taken=1, all=6)`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = dict(_flat("", tomllib.loads((_FOLDER / f"{language}.toml").read_text())))

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that the catalogue has not got."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def of(self, group: str, word: str, **values: object) -> str:
        """The text for a word of the office's own, such as a status; one that the catalogue has not got stays."""
        text = self._texts.get(f"{group}.{word}")
        return word if text is None else text.format(**values) if values else text

    @property
    def keys(self) -> Mapping[str, str]:
        return self._texts


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{prefix}{name}.", cast("dict[str, Any]", value))
        else:
            found.append((prefix + name, str(value)))
    return found


ALL = {language: Words(language) for language in LANGUAGES}


def chosen(cookie: str | None, accepted: str | None) -> Words:
    """What the person chose, else the first language of the browser's that we speak."""
    if cookie in ALL:
        return ALL[cookie]
    for part in (accepted or "").split(","):
        language = part.split(";")[0].strip().split("-")[0].lower()
        if language in ALL:
            return ALL[language]
    return ALL["en"]
