"""`semo client`: the client that lends this machine's terminals to an office."""

import os
import sys
from typing import Annotated

import typer

from semo import console
from semo.cli.options import JsonLog, PolicyFile, State, client_settings
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
