"""The tools by name, with what each takes: one list for the MCP server, the command and the machine's policy.

What they do is decided in the database (`agent_call`); nothing here is trusted there.
"""

from typing import Any, Final, Literal, NamedTuple, get_args

ToolName = Literal["report_progress", "ask_person", "read_context", "spawn_session", "leave_message", "read_messages"]
TOOL_NAMES: Final[tuple[str, ...]] = get_args(ToolName)

CALL_EVENT = "semo.tool"
"""The name of the hook event by which a session's agent calls a tool: `{"call", "tool", "arguments"}`; it waits."""

SERVER = "semo"
"""What the MCP server is called in an agent's configuration."""


class Tool(NamedTuple):
    description: str
    fields: dict[str, dict[str, Any]]
    required: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": self.fields,
            "required": list(self.required),
            "additionalProperties": False,
        }


def _text(description: str, longest: int) -> dict[str, Any]:
    return {"type": "string", "description": description, "minLength": 1, "maxLength": longest}


TOOLS: Final[dict[str, Tool]] = {
    "report_progress": Tool(
        "Tell the office how far you are, in a sentence. Do it at each larger step.",
        {
            "text": _text("What is done, or what you do now", 2000),
            "percent": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100,
                "description": "How much of your task is done",
            },
        },
        ("text",),
    ),
    "ask_person": Tool(
        "Ask a person of the office and wait for the answer. Only for what you cannot find out or decide yourself.",
        {
            "text": _text("The question, with all that is needed to answer it", 8192),
            "options": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": 10,
                "description": "Answers to choose from; others are possible",
            },
            "wait_s": {
                "type": "number",
                "minimum": 1,
                "maximum": 86_400,
                "description": "Seconds to wait; 3600 unless said otherwise",
            },
        },
        ("text",),
    ),
    "read_context": Tool(
        "What you share with the other sessions of your task: the task, who works on what, and its documents.",
        {"document": _text("A document to be read whole, such as design.md", 160)},
    ),
    "spawn_session": Tool(
        "Have another session work on a part of your task, in a worktree of its own that begins at the task's branch;"
        " its work is merged back. Commit what it needs first.",
        {
            "title": _text("What it is to do, in a sentence", 300),
            "prompt": _text("All that its agent must know", 32_768),
            "role": _text("Of which role it is to be; yours unless said otherwise", 32),
            "depends_on": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": 50,
                "description": "Labels of sessions that must be done before it begins",
            },
        },
        ("title",),
    ),
    "leave_message": Tool(
        "Leave a message for another session of your task, or for all of them.",
        {
            "text": _text("The message", 8192),
            "to": _text("The label of a session, as read_context shows it; all when left out", 40),
        },
        ("text",),
    ),
    "read_messages": Tool("The messages for you that you have not read yet.", {}),
}
