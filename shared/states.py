"""The states of commands, sessions and turns, named as in the database, which alone moves anything between them.

The legal transitions stand as comments on the enum types in supabase/migrations.
"""

from enum import StrEnum


class CommandType(StrEnum):
    CREATE_SESSION = "create_session"
    SEND_PROMPT = "send_prompt"
    SEND_TEXT = "send_text"
    SEND_KEYS = "send_keys"
    GET_OUTPUT = "get_output"
    RESIZE = "resize"
    CANCEL = "cancel"
    TERMINATE = "terminate"
    RELEASE_SESSION = "release_session"
    READ_DOCUMENTS = "read_documents"
    WRITE_DOCUMENTS = "write_documents"
    MERGE_WORK = "merge_work"
    CHECK_WORK = "check_work"
    READ_WORK = "read_work"
    PUBLISH_BRANCH = "publish_branch"
    FOLLOW_PULL_REQUEST = "follow_pull_request"
    MERGE_BRANCH = "merge_branch"


TYPED = frozenset({CommandType.SEND_TEXT, CommandType.SEND_KEYS})
"""What somebody types into a session, piece by piece, and waits to see."""


class CommandStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    LOST = "lost"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (CommandStatus.PENDING, CommandStatus.PROCESSING)


class SessionStatus(StrEnum):
    CREATING = "creating"
    READY = "ready"
    EXECUTING = "executing"
    WAITING_INPUT = "waiting_input"
    NEEDS_PERMISSION = "needs_permission"
    ERROR = "error"
    TERMINATED = "terminated"


class SessionPool(StrEnum):
    WARM = "warm"
    COLD = "cold"


class TurnOutcome(StrEnum):
    DONE = "done"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    NEEDS_PERMISSION = "needs_permission"
    WAITING_INPUT = "waiting_input"
    LOST = "lost"


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class PlanKind(StrEnum):
    WAVES = "waves"
    EPICS = "epics"
    GRAPH = "graph"
    PROMPTS = "prompts"
    SPEC = "spec"


class PlanStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SpecTaskStatus(StrEnum):
    BACKLOG = "backlog"
    PLANNING = "planning"
    REVIEW = "review"
    IMPLEMENTATION = "implementation"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    CHECKING = "checking"
    BLOCKED = "blocked"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        return self in (
            JobStatus.WAITING, JobStatus.READY, JobStatus.RUNNING, JobStatus.CHECKING, JobStatus.BLOCKED
        )  # fmt: skip


class ExecutionStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"


class FailurePolicy(StrEnum):
    """What comes after a failure is skipped, or goes on all the same."""

    STOP = "stop"
    CONTINUE = "continue"


class LaneSessions(StrEnum):
    """One session for all jobs of a lane, or a new one for each."""

    KEPT = "kept"
    FRESH = "fresh"


class SpecSessionStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    MERGING = "merging"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SpecSessionKind(StrEnum):
    PLANNING = "planning"
    WORK = "work"
    SPAWNED = "spawned"


class SpecPromptKind(StrEnum):
    PLANNING = "planning"
    REVIEW = "review"
    IMPLEMENTATION = "implementation"


class QuestionStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"


class PullRequestState(StrEnum):
    PUBLISHING = "publishing"
    FAILED = "failed"
    PUSHED = "pushed"
    OPEN = "open"
    MERGING = "merging"
    CONFLICT = "conflict"
    CLOSED = "closed"
    MERGED = "merged"


class EvidenceStatus(StrEnum):
    OPEN = "open"
    HOLDS = "holds"
    FAILS = "fails"
    VOID = "void"


class ConnectionState(StrEnum):
    """How a client is connected, as the client knows it and as the office shows it."""

    LIVE = "live"
    POLLING = "polling"
    OFFLINE = "offline"


class MemberRole(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, least: "MemberRole") -> bool:
        """Whether this role may do what `least` may: each may do what those before it may."""
        order = list(MemberRole)
        return order.index(self) >= order.index(least)


class AttemptEnd(StrEnum):
    """How an attempt ended that another one followed."""

    GIVEN_BACK = "given_back"
    RESCUED = "rescued"
    FAILED = "failed"


class BudgetScope(StrEnum):
    OFFICE = "office"
    ROLE = "role"
    AGENT = "agent"
    PLAN = "plan"
    JOB = "job"


class BudgetPeriod(StrEnum):
    DAY = "day"
    TOTAL = "total"
