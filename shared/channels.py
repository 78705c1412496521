"""The names on the wire: Realtime topics and events, and the marker by which an agent says that it is done."""

from shared.ids import OfficeId

DONE_MARKER = "[SEMO:DONE]"
"""What an agent prints when it is done. Counts only when the agent itself said it."""

COMMAND_EVENT = "command"
SESSION_EVENT = "session"
NEWS_EVENT = "news"
"""Something was told of the office (semo.tell)."""
JOBS_EVENT = "jobs"
"""Somebody has changed which jobs may run: a plan came, was paused, tried again."""
SPEC_EVENT = "spec"
"""Something happened in a spec task, or a job of one has ended."""
APPROVAL_EVENT = "approval"
OUTPUT_EVENT = "output"
"""What came of typing into a session, for those who look at it: {"session_id", "start", "end", "text"} of a short
piece, offsets in bytes; {"session_id"} of more, which is to be fetched. Other output is told of by nobody."""
ECHO_EVENT = "echo"
"""Carries nothing. Sent by the database when somebody who listens has heard nothing for a while."""


def commands_topic(office: OfficeId) -> str:
    """Wakes clients: {"command_id", "attempt", "session_id"?, "client_id"?} of one command, {"command_ids"} of some
    that came together, {} of many. Sent by the database on insert and when a command is offered again.

    Likewise {"approval_id", "client_id", …} when somebody answered what an agent asked.
    """
    return f"office:{office}:commands"


def events_topic(office: OfficeId) -> str:
    """Tells servers and people which commands and sessions moved, and to which status. Ids and states only, but for
    the short pieces of OUTPUT_EVENT, which members may read in the table as well.
    """
    return f"office:{office}:events"
