"""`semo client`: the client that lends this machine's terminals to an office."""

import os
import sys
from typing import Annotated

import typer

from semo import console
from semo.cli.options import Data, Json, JsonLog, PolicyFile, State, client_settings, client_states
from semo.cli.running import errors_in_words, run_to_end

group = typer.Typer(
    name="client", help="The client that lends this machine's terminals to an office.", no_args_is_help=True
)


@group.command()
def join(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="The one-time code from an admin of the office, or its link.")
    ],
    office_url: Annotated[
        str | None, typer.Option("--office-url", metavar="URL", help="Where the office server is; a link says it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call this machine; default: its host name.")
    ] = None,
    state: State = None,
) -> None:
    """Let this machine into an office. Once is enough; with another code it serves a further office as well."""

    from semo.join import join_with_code

    settings = client_settings(state, None)

    async def let_in() -> None:
        joined = await join_with_code(office_url, code, name, settings.state)
        console.good(f"joined office {joined.offices[-1].name!r} as client {joined.client_id}")
        console.step(f"what may run here stands in {settings.policy}, which you write (docs/policy.md)")
        console.step("then: semo client start" + (f" --state {settings.state}" if state else ""))

    run_to_end(let_in)


@group.command()
def start(state: State = None, policy: PolicyFile = None, as_json: JsonLog = False) -> None:
    """Run the client in the foreground until Ctrl-C, and show its log."""
    from semo.join import require_fit

    settings = client_settings(state, policy)
    with errors_in_words():
        require_fit(settings.state, settings.policy)
    if not as_json:
        console.step("this machine lends its terminals until Ctrl-C; here is the client's log")
    os.environ |= {"SEMO_CLIENT_STATE_DIR": str(settings.state), "SEMO_CLIENT_POLICY_FILE": str(settings.policy)}
    if as_json:
        os.environ["SEMO_CLIENT_LOG_FORMAT"] = "json"
    os.execv(sys.executable, [sys.executable, "-m", "remote_client"])  # noqa: S606 - becomes the client


@group.command()
def status(state: State = None, data: Data = None, as_json: Json = False) -> None:
    """Show how the client on this machine stands: its connection, its sessions, what waits for you."""
    from semo.client_control import show

    run_to_end(lambda: show(client_states(state, data), as_json=as_json))


@group.command()
def pause(state: State = None, data: Data = None) -> None:
    """Have it take no new work; it finishes what it has. Holds until `semo client resume`, over restarts."""
    from semo.client_control import pause

    run_to_end(lambda: pause(client_states(state, data), paused=True))


@group.command()
def resume(state: State = None, data: Data = None) -> None:
    """Have it take new work again."""
    from semo.client_control import pause

    run_to_end(lambda: pause(client_states(state, data), paused=False))


@group.command()
def stop(
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="Only this one, by the beginning of its id.")
    ] = None,
    sessions: Annotated[
        bool, typer.Option("--all", help="All of its sessions, and take no new work; the client goes on.")
    ] = False,
    state: State = None,
    data: Data = None,
) -> None:
    """Stop the client in order; or a session, or all of them, with whatever runs there."""
    from semo.client_control import stop_all, stop_client, stop_session

    states = client_states(state, data)
    if session is not None:
        run_to_end(lambda: stop_session(states, session))
    else:
        run_to_end(lambda: stop_all(states) if sessions else stop_client(states))
