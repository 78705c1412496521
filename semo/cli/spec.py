"""`semo spec`, `semo questions`, `semo answer`: spec tasks, and what agents ask people."""

from pathlib import Path
from typing import Annotated

import typer

from semo.cli.options import Data, Json, office_of
from semo.cli.running import run_to_end
from shared.states import SpecPromptKind

group = typer.Typer(
    name="spec", help="Spec tasks: planned in documents, approved, then worked on.", no_args_is_help=True
)

prompt = typer.Typer(name="prompt", help="What the office tells the agents of spec tasks.", no_args_is_help=True)
group.add_typer(prompt)

Kind = Annotated[SpecPromptKind, typer.Argument(help="For which agents.")]
Task = Annotated[str, typer.Argument(metavar="TASK", help="Its name, or its id.")]
Version = Annotated[int, typer.Option("--version", min=1, help="The version that you have read.")]


@group.command()
def new(
    title: Annotated[str, typer.Argument(help="What is wanted, in a sentence.")],
    description: Annotated[str, typer.Option("--description", help="All else; @FILE reads it from a file.")] = "",
    name: Annotated[str | None, typer.Option(help="Of its folder and branch; default: from the title.")] = None,
    agent: Annotated[str | None, typer.Option(help="Default: the machine's.")] = None,
    single: Annotated[bool, typer.Option("--single", help="One session does all of it.")] = False,
    planning_template: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the planning agent's prompt.")
    ] = None,
    work_template: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the work sessions' prompt.")
    ] = None,
    later: Annotated[bool, typer.Option("--later", help="Only write it down; semo spec start begins it.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write a task down and have it planned."""
    from semo import specs

    wishes = {
        "title": title, "name": name, "agent": agent, "single_session": single or None, "start": not later,
        "description": specs.text_of(description),
        "planning_template": planning_template.read_text() if planning_template else None,
        "work_template": work_template.read_text() if work_template else None,
    }  # fmt: skip
    run_to_end(lambda: specs.create(office_of(data), wishes, as_json=as_json))


@group.command("list")
def list_all(data: Data = None, as_json: Json = False) -> None:
    """Show the spec tasks of the office."""
    from semo import specs

    run_to_end(lambda: specs.list_all(office_of(data), as_json=as_json))


@group.command()
def show(task: Task, data: Data = None, as_json: Json = False) -> None:
    """Show one with its work sessions, and why those wait that do."""
    from semo import specs

    run_to_end(lambda: specs.show(office_of(data), task, as_json=as_json))


@group.command()
def read(
    task: Task,
    document: Annotated[str | None, typer.Argument(help="One of its documents; default: all.")] = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Default: the newest.")] = None,
    data: Data = None,
) -> None:
    """Print its documents with the numbers of their lines."""
    from semo import specs

    run_to_end(lambda: specs.read(office_of(data), task, document, version))


@group.command()
def start(task: Task, data: Data = None) -> None:
    """Have one planned that was only written down."""
    from semo import specs

    run_to_end(lambda: specs.move(office_of(data), task, "start"))


@group.command()
def approve(task: Task, version: Version, data: Data = None) -> None:
    """Let the work begin. Refused when that version is no longer the newest."""
    from semo import specs

    run_to_end(lambda: specs.move(office_of(data), task, f"versions/{version}/approve"))


@group.command("send-back")
def send_back(
    task: Task,
    version: Version,
    comment: Annotated[
        list[str], typer.Option("--comment", "-c", help='What is to be changed; "design.md:12: …" is about a line.')
    ],
    data: Data = None,
) -> None:
    """Have it planned again, with comments."""
    from semo import specs

    body = {"comments": [specs.comment_of(text) for text in comment]}
    run_to_end(lambda: specs.move(office_of(data), task, f"versions/{version}/send-back", body))


@group.command()
def retry(task: Task, data: Data = None) -> None:
    """Go on with one that failed."""
    from semo import specs

    run_to_end(lambda: specs.move(office_of(data), task, "retry"))


@group.command()
def cancel(task: Task, data: Data = None) -> None:
    """Withdraw one; its branch and its documents stay."""
    from semo import specs

    run_to_end(lambda: specs.move(office_of(data), task, "cancel"))


@group.command()
def tell(
    task: Task,
    text: Annotated[str, typer.Argument(help="The message.")],
    to: Annotated[str | None, typer.Option(help="The label of a work session; default: all.")] = None,
    data: Data = None,
) -> None:
    """Leave a message for the agents of a task."""
    from semo import specs

    run_to_end(lambda: specs.tell(office_of(data), task, text, to))


@prompt.command("list")
def list_prompts(data: Data = None, as_json: Json = False) -> None:
    """Show what the agents of spec tasks are told: whose words, and which version."""
    from semo import spec_prompts

    run_to_end(lambda: spec_prompts.list_all(office_of(data), as_json=as_json))


@prompt.command("show")
def show_prompt(
    kind: Kind,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Default: the one in use.")] = None,
    data: Data = None,
) -> None:
    """Print one as it is, to be changed and given to `semo spec prompt set`."""
    from semo import spec_prompts

    run_to_end(lambda: spec_prompts.show(office_of(data), kind.value, version))


@prompt.command("set")
def set_prompt(
    kind: Kind,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file with the prompt.")],
    preview: Annotated[bool, typer.Option("--preview", help="Only show what an agent would be told.")] = False,
    data: Data = None,
) -> None:
    """Tell agents something else from now on. A task that brings its own words uses those."""
    from semo import spec_prompts

    run_to_end(lambda: spec_prompts.save(office_of(data), kind.value, file, preview=preview))


@prompt.command("reset")
def reset_prompt(kind: Kind, data: Data = None) -> None:
    """Go back to the words that come with the office server."""
    from semo import spec_prompts

    run_to_end(lambda: spec_prompts.reset(office_of(data), kind.value))


def questions(data: Data = None, as_json: Json = False) -> None:
    """Show what agents ask and wait for."""
    from semo import specs

    run_to_end(lambda: specs.questions(office_of(data), as_json=as_json))


def answer(
    question: Annotated[str, typer.Argument(metavar="ID", help="As semo questions shows it.")],
    text: Annotated[str, typer.Argument(help="What the agent is told.")],
    data: Data = None,
) -> None:
    """Answer a question of an agent."""
    from semo import specs

    run_to_end(lambda: specs.answer(office_of(data), question, text))
