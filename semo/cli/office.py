"""`semo up`, `semo demo`, `semo status`, `semo dashboard`, `semo audit`, `semo doctor`: an office on this machine."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from semo import console
from semo.cli.options import Data, Json, PolicyFile, State, client_settings, data_folder, office_elsewhere, office_of
from semo.cli.running import run_to_end
from shared.starting import loading


def up(
    data: Data = None,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65534, metavar="PORT", help="Of the office server; the gateway gets the next one. 0: free ones."
        ),
    ] = 8400,
    repo: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="The repository that agents work in; default: a small new one.",
        ),
    ] = None,
    dashboard: Annotated[bool, typer.Option(help="Whether the office server shows its web pages.")] = True,
) -> None:
    """Run a whole office here, with one client, until Ctrl-C.

    That is embedded Supabase, office server and client. Everything is kept in its data folder and is there next time.
    """
    with loading():
        from semo.up import serve_until_stopped

    run_to_end(lambda: serve_until_stopped(data_folder(data), port, repo, dashboard=dashboard))


def demo(
    agent: Annotated[
        Literal["shell", "claude"], typer.Option(help="Who does the work; the shell costs nothing.")
    ] = "shell",
) -> None:
    """Show a whole office at work in a throw-away folder.

    Nothing is left behind.
    """
    from semo.demo import demo as play_demo

    run_to_end(lambda: play_demo(agent))


def status(data: Data = None, as_json: Json = False) -> None:
    """Show who is there, who holds what, and why what waits does.

    With --json also the addresses and keys of an office on this machine. Exit code 3: none is ready.
    """
    from semo.status import show

    run_to_end(lambda: show(office_elsewhere(data), data_folder(data), as_json=as_json))


def dashboard(
    data: Data = None,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show where the pages are, and a code that signs a browser in."""
    from semo.dashboard import show as show_pages

    async def show_it() -> None:
        async with office_of(data) as api:
            await show_pages(api, open_browser=browser, as_json=as_json)

    run_to_end(show_it)


def audit(limit: Annotated[int, typer.Option(min=1, max=500)] = 50, data: Data = None, as_json: Json = False) -> None:
    """Show who did what in the office, newest first."""
    from semo.command_view import draw_audit

    async def show_it() -> None:
        async with office_of(data) as api:
            found = await api.get("/audit", limit=limit)
        console.machine(found) if as_json else draw_audit(found["acts"])

    run_to_end(show_it)


def doctor(data: Data = None, state: State = None, policy: PolicyFile = None, as_json: Json = False) -> None:
    """Say what is missing on this machine, and how to mend it.

    For an office here, and for the clients of this user.
    """
    from semo.doctor import ClientPlace, examine

    own = client_settings(state, policy)
    here = data_folder(data)
    places = [ClientPlace(own.state, own.policy)]
    if state is None:
        places.insert(0, ClientPlace(here.client, here.policy))
    run_to_end(lambda: examine(here, places, as_json=as_json))
