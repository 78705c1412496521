"""What the command says when it cannot go on, and the exit codes that scripts may rely on."""

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    NOT_DONE = 1  # the work ended some other way than done, or what was asked for is missing
    USAGE = 2  # the command line itself is wrong
    UNREACHABLE = 3  # no office, no client or no Supabase answers
    LOST = 4  # it may have been typed and cannot be known
    NOT_TAKEN = 5  # expired or withdrawn before anyone took it
    REFUSED = 6  # the office or the machine's policy refused it
    INTERRUPTED = 130  # Ctrl-C


class SemoError(Exception):
    """`what` happened, what was `kept`, and what to `do` about it."""

    def __init__(self, what: str, *, kept: str = "", do: str = "", exit_code: Exit = Exit.NOT_DONE) -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.do = do
        self.exit_code = exit_code


class SessionOver(SemoError):
    """The session has ended, and takes nothing more."""
