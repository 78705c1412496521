"""What the agents of spec tasks are told: a task's own words, else its office's, else those here; with {{names}}."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.channels import DONE_MARKER
from shared.errors import InvalidPayload
from shared.states import SpecPromptKind

PLANNING_NAMES = frozenset({"name", "title", "description", "folder", "branch", "round", "comments", "roles", "done"})
WORK_NAMES = frozenset({"name", "title", "body", "label", "role", "folder", "branch", "conflicts", "task", "done"})
_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")

_FILES = """1. requirements.md: user stories ("As a …, I want …, so that …"), each with numbered criteria in EARS form:
   "WHEN [event] THE SYSTEM SHALL [response]", "IF [condition] THEN THE SYSTEM SHALL [response]",
   "WHILE [state] THE SYSTEM SHALL [response]", "WHERE [feature] THE SYSTEM SHALL [response]".
2. design.md: how it is to be built in this repository: parts, data, interfaces, errors, tests; what was weighed and
   why it was decided so.
3. tasks.md: the work as items with boxes, in this form and no other:

   - [ ] 1. A group of items
     - [ ] 1.1 What is to be done, in one line (role: BE)
       What its agent must know, further in than its item: files, interfaces, requirements, tests.
     - [ ] 1.2 Another one (role: FE; depends on 1.1)
   - [ ] 2. Something that needs all of 1 (role: QA; depends on 1)

   Each item without items below it becomes one agent's work, in a worktree of its own, and is merged when it is done.
   What does not depend on each other is done at the same time: items that change the same files must depend on each
   other. Every id stands once, and below its group. Roles: {{roles}}. At most 200 items.
4. spec-metadata.json: {"name": "{{name}}", "title": …, "summary": …, "risks": […], "files": [the files to be changed]}.
"""

PLANNING = (
    """Plan the following work. Write no code yet.

# {{title}}

{{description}}

Write these four files into the folder {{folder}} of this worktree, and commit them:

"""
    + _FILES
    + """
{{comments}}
When all four are committed, say {{done}} on a line of its own."""
)

REVIEW = (
    """The plan of the following work was read and not accepted. Change the plan as the comments say. Write no code yet.

# {{title}}

{{description}}

The plan is in the folder {{folder}} of this worktree. {{comments}}

Whatever a comment does not touch stays as it is, unless the change makes it wrong: the four files must agree with each
other. They keep their form:

"""
    + _FILES
    + """
Commit what you changed, and say {{done}} on a line of its own."""
)

WORK = """You do one item of a larger task, "{{task}}". Its plan is in {{folder}}: read requirements.md and design.md
there first. Others do other items at the same time; read_context shows who, and leave_message reaches them.

# {{label}} {{title}}

{{body}}

Do this item and nothing else. Test it, and commit all of it on your branch; it is then merged into {{branch}}. Leave
tasks.md as it is: the office ticks it.
{{conflicts}}
When it is committed, say {{done}} on a line of its own."""


DEFAULTS = {
    SpecPromptKind.PLANNING: PLANNING, SpecPromptKind.REVIEW: REVIEW, SpecPromptKind.IMPLEMENTATION: WORK,
}  # fmt: skip
NAMES = {
    SpecPromptKind.PLANNING: PLANNING_NAMES, SpecPromptKind.REVIEW: PLANNING_NAMES,
    SpecPromptKind.IMPLEMENTATION: WORK_NAMES,
}  # fmt: skip
NEEDED = {
    SpecPromptKind.PLANNING: ("title", "folder", "done"),
    SpecPromptKind.REVIEW: ("folder", "comments", "done"),
    SpecPromptKind.IMPLEMENTATION: ("title", "body", "done"),
}
"""Without these no task of an office could come to its end."""


@dataclass(frozen=True)
class Words:
    """A prompt, and whose words it is made of: `planning@2` are the office's, `planning` ours, `task` a task's own."""

    text: str
    whose: str


@dataclass(frozen=True)
class OfficeWords:
    """What an office says instead of what is here."""

    version: int
    text: str


def check(template: str | None, names: frozenset[str], field: str) -> None:
    """
    Raises:
        InvalidPayload: it holds a name that is not filled in.
    """
    unknown = next((found[1] for found in _NAME.finditer(template or "") if found[1] not in names), None)
    if unknown is not None:
        raise InvalidPayload(
            f"{field}: there is no {{{{{unknown}}}}}", advice=f"there are {', '.join(sorted(names))}", field=field
        )


def check_of_office(kind: SpecPromptKind, text: str) -> None:
    """
    Raises:
        InvalidPayload: it holds a name that is not filled in, or lacks one without which tasks cannot end.
    """
    check(text, NAMES[kind], "text")
    used = {found[1] for found in _NAME.finditer(text)}
    missing = [name for name in NEEDED[kind] if name not in used]
    if missing:
        raise InvalidPayload(
            f"text: {{{{{missing[0]}}}}} is missing; the prompt of {kind} needs it",
            advice=f"it needs {', '.join(f'{{{{{name}}}}}' for name in NEEDED[kind])}",
            field="text",
        )


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: values.get(found[1], found[0]), template)


def planning(
    task: Mapping[str, Any],
    comments: list[Mapping[str, Any]],
    roles: list[str],
    office: Mapping[SpecPromptKind, OfficeWords],
) -> Words:
    """`comments`: on the documents of the round before; with them it is a plan to be changed."""
    values = {
        "name": task["name"],
        "title": task["title"],
        "description": task["description"],
        "folder": task["folder"],
        "branch": task["branch"],
        "round": str(task["round"]),
        "roles": ", ".join(roles),
        "comments": _comments(comments),
        "done": DONE_MARKER,
    }
    kind = SpecPromptKind.REVIEW if comments else SpecPromptKind.PLANNING
    return _worded(kind, task["planning_template"], office, values)


def _worded(
    kind: SpecPromptKind, own: str | None, office: Mapping[SpecPromptKind, OfficeWords], values: Mapping[str, str]
) -> Words:
    if own:
        return Words(_filled(own, values), "task")
    if kind in office:
        return Words(_filled(office[kind].text, values), f"{kind}@{office[kind].version}")
    return Words(_filled(DEFAULTS[kind], values), str(kind))


def _comments(comments: list[Mapping[str, Any]]) -> str:
    if not comments:
        return ""
    lines = [f"- {_place(comment)}{comment['text']}" for comment in comments]
    return "The files are there already and were not accepted. Change them as these comments say:\n" + "\n".join(lines)


def _place(comment: Mapping[str, Any]) -> str:
    if not comment["document"]:
        return ""
    return f"{comment['document']}, line {comment['line']}: " if comment["line"] else f"{comment['document']}: "


def work(task: Mapping[str, Any], session: Mapping[str, Any], office: Mapping[SpecPromptKind, OfficeWords]) -> Words:
    conflicts = "" if not session["conflicts"] else (
        f"Your work is done, but it conflicts with what others did meanwhile, in: {', '.join(session['conflicts'])}."
        f" Run `git merge {task['branch']}`, resolve the conflicts so that both works are kept, test, and commit."
    )  # fmt: skip
    values = {
        "name": task["name"],
        "task": task["title"],
        "title": session["title"],
        "body": session["body"],
        "label": session["label"],
        "role": session["role"],
        "folder": task["folder"],
        "branch": task["branch"],
        "conflicts": conflicts,
        "done": DONE_MARKER,
    }
    return _worded(SpecPromptKind.IMPLEMENTATION, task["work_template"], office, values)


def sample(kind: SpecPromptKind, text: str) -> str:
    """What such a text comes to for a task that is made up."""
    words = {kind: OfficeWords(0, text)}
    task = {
        "name": "sign-in", "title": "Sign in", "description": "By e-mail.", "folder": ".semo/specs/sign-in",
        "branch": "spec/sign-in", "round": 2 if kind is SpecPromptKind.REVIEW else 1,
        "planning_template": None, "work_template": None,
    }  # fmt: skip
    if kind is SpecPromptKind.IMPLEMENTATION:
        session = {"title": "The table of accounts", "body": "One row each.", "label": "1.1", "role": "BE"}
        return work(task, session | {"conflicts": []}, words).text
    said: list[Mapping[str, Any]] = [{"document": "design.md", "line": 12, "text": "Which table?"}]
    return planning(task, said if kind is SpecPromptKind.REVIEW else [], ["BE", "FE", "QA"], words).text
