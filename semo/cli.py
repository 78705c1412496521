"""The `semo` command: reads the command line and hands over; errors become one clear line and an exit code.

Each command imports what it needs when it runs, so that `semo status` is quick and `semo doctor` works without git.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from local_supabase.errors import EmbeddedError
from semo import console
from semo.folder import DataFolder, Status
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError
from semo.settings import CommandSettings

if TYPE_CHECKING:
    from remote_client.settings import ClientSettings

app = typer.Typer(
    help="An office of coding agents that work in real terminals on developers' own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
client = typer.Typer(help="The client that lends this machine's terminals to an office.", no_args_is_help=True)
server = typer.Typer(help="The office server.", no_args_is_help=True)
command = typer.Typer(help="Commands: the rows of agent_commands.", no_args_is_help=True)
worktree = typer.Typer(help="What agents left in their worktrees on this machine.", no_args_is_help=True)
monitor = typer.Typer(help="The monitor that tells how an agent's turns end.", no_args_is_help=True)
app.add_typer(client, name="client")
app.add_typer(server, name="server")
app.add_typer(command, name="command")
app.add_typer(worktree, name="worktree")
app.add_typer(monitor, name="monitor")

Data = Annotated[Path | None, typer.Option("--data", help="The folder of the office; default: the user's data folder.")]
State = Annotated[Path | None, typer.Option("--state", help="Where the client keeps its credentials and journal.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="The policy file of this machine.")]
WorktreeName = Annotated[str, typer.Argument(metavar="ROLE/TASK")]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON on stdout, for scripts.")]


@app.command()
def up(
    data: Data = None,
    port: Annotated[int, typer.Option(min=0, max=65534, help="Of the office server; 0: a free one.")] = 8400,
    repo: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The repository that agents work in; default: a small new one."
        ),
    ] = None,
) -> None:
    """Run a whole office here until Ctrl-C: embedded Supabase, office server and one client."""
    from semo.up import serve_until_stopped

    _run(lambda: serve_until_stopped(_folder(data), port, repo))


@app.command()
def demo(
    agent: Annotated[
        Literal["shell", "claude"], typer.Option(help="Who does the work; the shell costs nothing.")
    ] = "shell",
) -> None:
    """Show a whole office at work in a throw-away folder, and leave nothing behind."""
    from semo.demo import demo as play_demo

    _run(lambda: play_demo(agent))


@app.command()
def status(data: Data = None, as_json: Json = False) -> None:
    """Say whether the office of a data folder is ready. --json prints its addresses and keys."""
    _run(lambda: _status(_folder(data), as_json=as_json))


@app.command()
def run(
    prompt: Annotated[str, typer.Argument(help="What to do; `-` reads it from stdin.")],
    role: Annotated[str, typer.Option(help="Who is to do it: PO, PM, Architect, FE, BE, QA, DevOps, or your own.")],
    agent: Annotated[str | None, typer.Option(help="Which agent; default: the machine's own.")] = None,
    time_limit: Annotated[
        float | None, typer.Option("--timeout", min=1, help="Seconds after which it is interrupted.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send one prompt, follow it live, and exit 0 only when it is done."""
    from semo.run import run_prompt

    text = sys.stdin.read() if prompt == "-" else prompt

    async def send() -> Exit:
        async with _office(data) as api:
            return await run_prompt(api, text, role, agent, time_limit, as_json=as_json)

    _run(send)


@app.command()
def attach(
    session: Annotated[str, typer.Argument(help="The id of a session, or its beginning.")],
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only; nothing is typed or resized.")] = False,
    through_office: Annotated[
        bool, typer.Option("--through-office", help="Also for a session of this machine: by the office's API.")
    ] = False,
    state: State = None,
    data: Data = None,
) -> None:
    """Give you the live terminal of a session, on this machine or through the office, until Ctrl-]."""
    from semo.attach import attach_here, attach_through_office

    async def to_it() -> Exit:
        states = _client_states(state, data)
        here = None if through_office else await attach_here(states, session, read_only=read_only)
        if here is not None:
            return here
        try:
            office = _office(data)
        except SemoError as error:
            raise SemoError(
                f"there is no session {session} on this machine, and {error.what}",
                do=error.do, exit_code=error.exit_code,
            ) from error  # fmt: skip
        async with office as api:
            return await attach_through_office(api, session, read_only=read_only)

    _run(to_it)


@app.command()
def recordings(state: State = None, data: Data = None, as_json: Json = False) -> None:
    """List the recordings that the sessions of this machine have left."""
    from semo.recordings import show

    async def list_them() -> None:
        show(_client_states(state, data), as_json=as_json)

    _run(list_them)


@app.command()
def doctor(data: Data = None, as_json: Json = False) -> None:
    """Say what is missing on this machine, and how to mend it."""
    from semo.doctor import examine

    _run(lambda: examine(_folder(data), as_json=as_json))


@client.command("join")
def client_join(
    code: Annotated[str, typer.Argument(help="The one-time code from an admin of the office.")],
    office_url: Annotated[str, typer.Option("--office-url", help="Where the office server is.")],
    name: Annotated[str | None, typer.Option(help="What to call this machine; default: its host name.")] = None,
    state: State = None,
) -> None:
    """Let this machine into an office. Once is enough."""

    from semo.join import join_with_code

    settings = _client_settings(state, None)

    async def join() -> None:
        joined = await join_with_code(office_url, code, name, settings.state)
        console.good(f"joined office {joined.offices[0].name!r} as client {joined.client_id}")
        console.step(f"what may run here stands in {settings.policy}, which you write (docs/policy.md)")
        console.step("then: semo client start" + (f" --state {settings.state}" if state else ""))

    _run(join)


@client.command("start")
def client_start(
    state: State = None,
    policy: Annotated[Path | None, typer.Option(help="The policy file of this machine.")] = None,
) -> None:
    """Run the client in the foreground until Ctrl-C."""
    from semo.join import require_fit

    settings = _client_settings(state, policy)
    with _errors_in_words():
        require_fit(settings.state, settings.policy)
    console.step("this machine lends its terminals until Ctrl-C; here is the client's log")
    os.environ |= {"SEMO_CLIENT_STATE_DIR": str(settings.state), "SEMO_CLIENT_POLICY_FILE": str(settings.policy)}
    os.execv(sys.executable, [sys.executable, "-m", "remote_client"])  # noqa: S606 - becomes the client


@server.command("start")
def server_start() -> None:
    """Run an office server in the foreground until Ctrl-C; set up by environment variables (.env.example)."""
    os.execv(sys.executable, [sys.executable, "-m", "office_server"])  # noqa: S606 - becomes the server


@server.command("init")
def server_init(name: Annotated[str, typer.Argument(help="What to call the office.")]) -> None:
    """Make an office and its first token in the Supabase project that SUPABASE_URL names. The token is shown once."""

    from semo.office_setup import init_office_from_settings

    async def init() -> None:
        made = await init_office_from_settings(name)
        console.machine({"office_id": made.office_id, "office_name": made.office_name, "api_token": made.token})

    _run(init)


@command.command("show")
def command_show(command_id: str, data: Data = None) -> None:
    """Print one command with its receipts and result, as JSON."""

    async def show() -> None:
        async with _office(data) as api:
            console.machine(await api.get(f"/commands/{command_id}"))

    _run(show)


@command.command("cancel")
def command_cancel(command_id: str, data: Data = None) -> None:
    """Withdraw a command that nobody has taken yet."""

    async def cancel() -> None:
        async with _office(data) as api:
            await api.post(f"/commands/{command_id}/cancel", {})
            console.good(f"command {command_id} is withdrawn")

    _run(cancel)


@monitor.command("replay")
def monitor_replay(
    file: Annotated[Path, typer.Argument(metavar="FILE.cast", help="An asciicast v2 recording.")],
    agent: Annotated[str | None, typer.Option(help="Who was recorded; default: as it says itself.")] = None,
    chunk: Annotated[int | None, typer.Option(min=0, help="Cut the output anew, into so many bytes; 0: uncut.")] = None,
) -> None:
    """Print what the monitor finds in a recording, one JSON object a line."""
    from semo.monitor import replay_recording

    async def play() -> None:
        replay_recording(file, agent, chunk)

    _run(play)


@worktree.command("list")
def worktree_list(policy: PolicyFile = None, as_json: Json = False) -> None:
    """Show every worktree, and whether work in it is uncommitted or unmerged."""
    from semo.worktree import show

    _run(lambda: show(_client_settings(None, policy).policy, as_json=as_json))


@worktree.command("sync")
def worktree_sync(
    name: WorktreeName,
    policy: PolicyFile = None,
    by: Annotated[
        Literal["rebase", "merge"] | None, typer.Option(help="Default: rebase what was not pushed, else merge.")
    ] = None,
    fetch: Annotated[bool, typer.Option(help="Fetch what the base follows first.")] = True,
) -> None:
    """Bring a worktree up to its base. In a conflict nothing is changed, and the files are named."""
    from semo.worktree import SyncBy, sync

    _run(lambda: sync(_client_settings(None, policy).policy, name, SyncBy(by) if by else None, fetch=fetch))


@worktree.command("remove")
def worktree_remove(
    name: WorktreeName,
    policy: PolicyFile = None,
    even_with_work: Annotated[bool, typer.Option("--even-with-work", help="Lose what is in it.")] = False,
) -> None:
    """Remove a worktree and its branch; never with uncommitted or unmerged work, unless told."""
    from semo.worktree import remove

    _run(lambda: remove(_client_settings(None, policy).policy, name, even_with_work=even_with_work))


def _client_settings(state: Path | None, policy: Path | None) -> "ClientSettings":
    from remote_client.settings import ClientSettings

    settings = ClientSettings()
    given = {"state_dir": state, "policy_file": policy}
    return settings.model_copy(update={name: path.absolute() for name, path in given.items() if path is not None})


def _client_states(state: Path | None, data: Path | None) -> list[Path]:
    """The state folders of the clients that may be meant: that of an office here, and that of this user."""
    own = _client_settings(state, None).state
    return [own] if state is not None else [_folder(data).client, own]


def _folder(data: Path | None) -> DataFolder:
    return DataFolder(data.absolute()) if data else DataFolder.default()


def _office(data: Path | None) -> OfficeApi:
    """The office that SEMO_OFFICE_URL, SEMO_API_TOKEN and SEMO_OFFICE_ID name, or the one of a data folder."""
    named = CommandSettings()
    if data is None and named.office_url and named.api_token and named.office_id:
        return OfficeApi(str(named.office_url), named.api_token.get_secret_value(), named.office_id)
    return OfficeApi.of(_folder(data).read_status())


async def _status(folder: DataFolder, *, as_json: bool) -> None:
    found: Status = folder.read_status()
    async with OfficeApi.of(found) as api:
        await api.get("/readyz")
        if as_json:
            console.machine(asdict(found))
            return
        clients = await api.get("/clients")
        console.good(f"the office is open at {found.office_url}")
        for machine in clients["clients"]:
            console.step(f"{machine['name']}: {'online' if machine['online'] else 'offline'}")


def _run(action: Callable[[], Awaitable[Exit | None]]) -> None:
    """Runs one command. Ctrl-C and SIGTERM cancel it, so that whatever it started is stopped in order."""

    async def with_signals() -> Exit:
        task = asyncio.ensure_future(action())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task or Exit.DONE

    try:
        with _errors_in_words():
            code = asyncio.run(with_signals())
    except asyncio.CancelledError:
        code = Exit.INTERRUPTED
    raise SystemExit(int(code))


@contextlib.contextmanager
def _errors_in_words() -> Generator[None]:
    try:
        yield
    except SemoError as error:
        console.bad(error)
        raise SystemExit(int(error.exit_code)) from None
    except EmbeddedError as error:
        console.bad(SemoError(error.what, kept=error.kept, do=error.do))
        raise SystemExit(int(Exit.NOT_DONE)) from None


def main() -> None:
    with contextlib.suppress(BrokenPipeError):
        app()
