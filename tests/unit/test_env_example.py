"""`.env.example` lists exactly what can be set, with the defaults, so that nobody has to read the settings classes."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from office_server.settings import OfficeSettings
from remote_client.settings import ClientSettings
from semo.settings import CommandSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
CLASSES: list[type[BaseSettings]] = [OfficeSettings, ClientSettings, CommandSettings]


def variables(settings: type[BaseSettings]) -> dict[str, object]:
    """The variable of each field and its default; None where there is none."""
    found: dict[str, object] = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else f"{settings.model_config.get('env_prefix', '')}{name}".upper()
        found[variable] = None if field.default is PydanticUndefined else field.default
    return found


def listed() -> dict[str, str]:
    """What the example sets (`NAME=value`) and what it shows commented out with its default (`# NAME=value`)."""
    lines = EXAMPLE.read_text().splitlines()
    found = [re.fullmatch(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def test_the_example_lists_every_setting_and_no_other():
    assert set(listed()) == {name for settings in CLASSES for name in variables(settings)}


@pytest.mark.parametrize("settings", CLASSES, ids=lambda settings: settings.__name__)
def test_the_example_shows_the_defaults(settings: type[BaseSettings]):
    shown = listed()
    for name, default in variables(settings).items():
        expected = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        assert shown[name] == expected, name
