"""The `semo` command: all that can be typed, a file for each group. What it does is in the modules beside this folder.

Each command imports what it needs when it runs, so that `semo status` is quick and `semo doctor` works without git.
"""

import contextlib

import typer

from semo.cli import (
    approvals,
    budget,
    client,
    clients,
    command,
    costs,
    desktop,
    events,
    evidence,
    execution,
    members,
    monitor,
    office,
    plan,
    pr,
    server,
    sessions,
    spec,
    template,
    worktree,
)  # fmt: skip

OFFICE = "An office on this machine"
WORK = "Work for agents"
MACHINE = "This machine, for any office"
SERVER = "An office on your own Supabase project"

app = typer.Typer(
    help="An office of coding agents in real terminals on developers' own machines.\n\n"
    "Begin with [bold]semo up[/bold], and in another terminal:"
    " [bold]semo run \"git status; echo '\\[SEMO:DONE]'\" --role BE[/bold]",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(rich_help_panel=OFFICE)(office.up)
app.command(rich_help_panel=OFFICE)(office.demo)
app.command(rich_help_panel=OFFICE)(office.status)
app.command(rich_help_panel=OFFICE)(office.dashboard)
app.command(hidden=True)(office.audit)  # for admins, and named in docs/delivery.md
app.command(rich_help_panel=OFFICE)(office.doctor)
app.command(rich_help_panel=WORK)(sessions.run)
app.command(rich_help_panel=WORK)(sessions.attach)
app.command("exec", rich_help_panel=WORK)(execution.execute)
plan.group.command()(evidence.evidence)
plan.group.command()(evidence.answer)
app.add_typer(plan.group, rich_help_panel=WORK)
app.add_typer(template.group, hidden=True)  # docs/plans.md, as the next ones
app.add_typer(execution.group, hidden=True)
app.command(hidden=True)(events.events)
app.command(rich_help_panel=WORK)(plan.stop)
app.command(rich_help_panel=WORK)(approvals.approvals)
app.command(rich_help_panel=WORK)(approvals.approve)
app.command(hidden=True)(approvals.deny)  # `semo approvals` shows it with each request
app.add_typer(command.group, rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(costs.costs)
app.add_typer(budget.group, rich_help_panel=WORK)
app.add_typer(clients.group, rich_help_panel=OFFICE)
app.add_typer(members.group, hidden=True)  # for admins, and named in docs/dashboard.md
app.add_typer(pr.group, rich_help_panel=WORK)
app.add_typer(spec.group, rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(spec.questions)
app.command(hidden=True)(spec.answer)  # `semo questions` shows it with each question
app.add_typer(client.group, rich_help_panel=MACHINE)
app.command(rich_help_panel=MACHINE)(desktop.desktop)
app.add_typer(worktree.group, hidden=True)  # docs/sessions.md
app.command(rich_help_panel=MACHINE)(sessions.recordings)
app.add_typer(monitor.group, hidden=True)  # docs/agents.md
app.add_typer(server.group, rich_help_panel=SERVER)


def main() -> None:
    with contextlib.suppress(BrokenPipeError):
        app()
