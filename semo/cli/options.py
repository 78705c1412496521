"""The options that several commands take, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semo.folder import DataFolder
from semo.office_api import OfficeApi
from semo.settings import CommandSettings

if TYPE_CHECKING:
    from remote_client.settings import ClientSettings

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The folder of the office; default: this user's data folder."),
]
State = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="Where the client keeps its credentials and journal.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy of this machine (docs/policy.md).")
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON on stdout, for scripts.")]

JsonLog = Annotated[bool, typer.Option("--json", help="Log JSON lines at a terminal, too; elsewhere they are JSON.")]


def data_folder(data: Path | None) -> DataFolder:
    return DataFolder(data.absolute()) if data else DataFolder.default()


def office_elsewhere(data: Path | None) -> OfficeApi | None:
    """The office that SEMO_OFFICE_URL, SEMO_OFFICE_ID and SEMO_API_TOKEN name, unless a data folder is named."""
    named = CommandSettings()
    if data is None and named.office_url and named.api_token and named.office_id:
        return OfficeApi(str(named.office_url), named.api_token.get_secret_value(), named.office_id)
    return None


def office_of(data: Path | None) -> OfficeApi:
    """The office elsewhere, or the one that runs on a data folder.

    Raises:
        SemoError: none runs there.
    """
    return office_elsewhere(data) or OfficeApi.of(data_folder(data).read_status())


def client_settings(state: Path | None, policy: Path | None) -> "ClientSettings":
    from remote_client.settings import ClientSettings

    settings = ClientSettings()
    given = {"state_dir": state, "policy_file": policy}
    return settings.model_copy(update={name: path.absolute() for name, path in given.items() if path is not None})


def client_states(state: Path | None, data: Path | None) -> list[Path]:
    """The state folders of the clients that may be meant: that of an office here, and that of this user."""
    own = client_settings(state, None).state
    return [own] if state is not None else [data_folder(data).client, own]
