"""`semo run`, `semo attach`, `semo recordings`: prompts, live terminals, and what those that ended have left."""

import sys
from typing import Annotated

import typer

from semo.cli.options import Data, Json, State, client_states, office_of
from semo.cli.running import run_to_end
from semo.problems import Exit, SemoError


def run(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to do; `-` reads it from stdin.")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="Who is to do it: PO, PM, Architect, FE, BE, QA, DevOps, or your own.")
    ],
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Which agent; default: the machine's own.")] = None,
    time_limit: Annotated[
        float | None, typer.Option("--timeout", min=1, metavar="SECONDS", help="Seconds after which it is interrupted.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send one prompt and follow it; exit 0 only when it is done."""
    from semo.run import run_prompt

    text = sys.stdin.read() if prompt == "-" else prompt

    async def send() -> Exit:
        async with office_of(data) as api:
            return await run_prompt(api, text, role, agent, time_limit, as_json=as_json)

    run_to_end(send)


def attach(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="Its id or the beginning of it, as `semo status` shows it.")
    ],
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only; nothing is typed or resized.")] = False,
    through_office: Annotated[
        bool, typer.Option("--through-office", help="Also for a session of this machine: by the office's API.")
    ] = False,
    state: State = None,
    data: Data = None,
) -> None:
    """Give you the live terminal of a session, until Ctrl-]."""
    from semo.attach import attach_here, attach_through_office

    async def to_it() -> Exit:
        states = client_states(state, data)
        here = None if through_office else await attach_here(states, session, read_only=read_only)
        if here is not None:
            return here
        try:
            office = office_of(data)
        except SemoError as error:
            raise SemoError(
                f"there is no session {session} on this machine, and {error.what}",
                do=error.do, exit_code=error.exit_code,
            ) from error  # fmt: skip
        async with office as api:
            return await attach_through_office(api, session, read_only=read_only)

    run_to_end(to_it)


def recordings(state: State = None, data: Data = None, as_json: Json = False) -> None:
    """List the recordings that the sessions of this machine have left."""
    from semo.recordings import show

    async def list_them() -> None:
        show(client_states(state, data), as_json=as_json)

    run_to_end(list_them)
