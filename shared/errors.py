"""What can go wrong, and what the other side is told. Errors are told apart by class and code, never by their text.

OfficeError                      code, HTTP status, what to do
├── Refused                      it will never work as asked
│   ├── InvalidPayload           the request says something that it may not say
│   ├── NotFound                 no such thing, or none that the caller may see
│   ├── Conflict                 not in the state that things are in
│   │   ├── SessionEnded         the session is over
│   │   ├── Fenced               another process, attempt or epoch owns it now
│   │   └── CapReached           what may be spent is spent
│   ├── Unauthenticated          no token, or none that is valid
│   ├── Forbidden                the token's role does not allow it
│   │   └── ClientRevoked        this machine was shut out of its office
│   ├── BadEnrollmentCode        wrong, used or too old
│   ├── ForeignFolder            a folder on this machine that is not ours to make private
│   └── PolicyForbids            the machine's own rule, named
├── Unavailable                  it may work later: retry with back-off
│   ├── BackendDown              Supabase does not answer
│   ├── WaitRanOut               the work goes on, only the waiting ended
│   ├── PersonaNotRendered       the office server has not rendered the persona yet
│   ├── SessionFailed            the terminal or its worktree could not be made, or died
│   │   └── HostGone             what kept the machine's terminals died, and with it who knows how far it came
│   └── NoRoom                   no place, no memory, or the circuit of the role is open
│       └── CannotNote           the journal cannot be written, and what cannot be noted is not typed
└── Ambiguous                    it may have happened: never retried by itself
"""

from typing import ClassVar


class OfficeError(Exception):
    """Something went wrong.

    `code` is stable and travels in result rows and problem+json; `status` is the HTTP status; `title` is the sentence
    for people when there is no better one; `advice` says what to do next.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong inside the office."

    def __init__(self, detail: str | None = None, *, advice: str | None = None, **context: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.advice = advice
        self.context = context


class Refused(OfficeError):
    code = "refused"
    status = 422
    title = "This can never work as asked."


class InvalidPayload(Refused):
    code = "invalid_payload"
    status = 422
    title = "The request says something that it may not say."


class NotFound(Refused):
    code = "not_found"
    status = 404
    title = "There is no such thing here."


class Conflict(Refused):
    code = "conflict"
    status = 409
    title = "That is not possible in the present state."


class SessionEnded(Conflict):
    code = "session_ended"
    status = 410
    title = "The session is over and takes no more commands."


class Fenced(Conflict):
    code = "fenced"
    title = "Somebody else owns this now."


class CapReached(Conflict):
    code = "cap_reached"
    title = "What may be spent is spent."


class Unauthenticated(Refused):
    code = "unauthenticated"
    status = 401
    title = "A valid token is needed."


class Forbidden(Refused):
    code = "forbidden"
    status = 403
    title = "Your role does not allow this."


class ClientRevoked(Forbidden):
    code = "client_revoked"
    title = "This machine was shut out of its office."


class BadEnrollmentCode(Refused):
    code = "bad_enrollment_code"
    status = 403
    title = "The enrolment code is wrong, already used, or older than its time."


class ForeignFolder(Refused):
    code = "foreign_folder"
    status = 409
    title = "That folder is somebody else's, or used for something else."


class PolicyForbids(Refused):
    code = "policy_forbids"
    status = 403
    title = "The policy of the machine forbids this."


class Unavailable(OfficeError):
    code = "unavailable"
    status = 503
    title = "Not now; it may work later."


class BackendDown(Unavailable):
    code = "backend_down"
    title = "Supabase does not answer."


class WaitRanOut(Unavailable):
    code = "wait_ran_out"
    status = 504
    title = "The wait ran out; the work goes on."


class PersonaNotRendered(Unavailable):
    code = "persona_not_rendered"
    title = "The persona has not been rendered yet."


class SessionFailed(Unavailable):
    code = "session_failed"
    status = 502
    title = "The terminal session could not be made, or died."


class HostGone(SessionFailed):
    """Nobody is left who knows how far it came."""

    code = "host_gone"
    title = "What kept the machine's terminals has died, and they with it."


class NoRoom(Unavailable):
    code = "no_room"
    title = "This machine cannot take it now."


class CannotNote(NoRoom):
    code = "cannot_note"
    title = "The client cannot write its journal, and what it cannot note it does not type."


class Ambiguous(OfficeError):
    code = "lost"
    status = 502
    title = "It may have happened and cannot be known; it was not tried again."


BY_SQLSTATE: dict[str, type[OfficeError]] = {
    "SO001": Fenced,
    "SO002": Conflict,
    "SO003": NotFound,
    "SO004": InvalidPayload,
    "SO005": Forbidden,
    "SO006": BadEnrollmentCode,
    "SO007": SessionEnded,
    "SO008": ClientRevoked,
    "SO009": CapReached,
    "22P02": InvalidPayload,
    "22P05": InvalidPayload,
    "23503": NotFound,
    "23505": Conflict,
    "23514": InvalidPayload,
    "42501": Forbidden,
}
"""The error that a SQLSTATE of our functions and tables stands for (supabase/migrations, first file)."""


def by_code() -> dict[str, type[OfficeError]]:
    """Every error class of the tree by its code."""
    found: dict[str, type[OfficeError]] = {}
    waiting: list[type[OfficeError]] = [OfficeError]
    while waiting:
        error = waiting.pop()
        found[error.code] = error
        waiting.extend(error.__subclasses__())
    return found
