"""`semo desktop`: the window and the tray icon for the client on this machine."""

import importlib.util
import os
import sys
from typing import Annotated

import typer

from semo.cli.options import Data, PolicyFile, State, client_settings, data_folder
from semo.cli.running import errors_in_words
from semo.problems import Exit, SemoError


def desktop(
    state: State = None,
    policy: PolicyFile = None,
    data: Data = None,
    background: Annotated[bool, typer.Option("--background", help="Only the icon in the tray.")] = False,
    start_client: Annotated[
        bool, typer.Option("--start-client", help="Also start the client, unless it runs already.")
    ] = False,
) -> None:
    """Open the window: what runs on this machine, and what waits for you."""
    with errors_in_words():
        for module in ("PySide6", "pyghostty"):
            if importlib.util.find_spec(module) is None:
                raise SemoError(
                    f"the window needs {module}, which is not installed",
                    do="pip install 'semo-office[desktop]'",
                    exit_code=Exit.USAGE,
                )
    own = client_settings(state, policy)
    clients = ["--client", str(own.state), str(own.policy)]
    folder = data_folder(data)
    if state is None and (folder.client / "credentials.json").exists():
        clients += ["--client", str(folder.client), str(folder.policy)]
    more = [name for name, on in (("--background", background), ("--start-client", start_client)) if on]
    os.execv(sys.executable, [sys.executable, "-m", "desktop_client", *clients, *more])  # noqa: S606 - becomes it
