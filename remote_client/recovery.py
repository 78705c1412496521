"""What becomes of commands that an earlier process of this client held: the journal knows how far each had come."""

from dataclasses import replace

import structlog

from remote_client.commands import Command, Hold, lease_clock
from remote_client.journal import Entry, Journal
from remote_client.office_link import OfficeLink, Registration
from remote_client.outbox import Outbox
from shared.errors import Conflict
from shared.ids import OfficeId
from shared.states import CommandType

log = structlog.get_logger(__name__)

_TYPED_WORDS = "the client ended between typing this and reporting it; it was not typed again"


async def recover(link: OfficeLink, journal: Journal, outbox: Outbox, registration: Registration) -> None:
    """finished → its result is sent; claimed → given back; typing or typed → reported lost. Never typed again."""
    for entry in journal.entries():
        if (entry.command_id, entry.attempt) not in registration.held and entry.state != "finished":
            journal.settled(entry.command_id, entry.attempt)
            continue
        if entry.state == "finished" and entry.completion is not None:
            # Its session ended with the process that it belonged to.
            outbox.put(_hold_of(entry, registration), replace(entry.completion, session_status=None))
            continue
        try:
            if entry.state == "claimed":
                await link.give_back_command(entry.command_id, entry.attempt)
            else:
                await link.report_lost(entry.command_id, entry.attempt, _TYPED_WORDS)
        except Conflict as error:
            log.warning("not ours any more", command_id=str(entry.command_id), error=error.detail)
        journal.settled(entry.command_id, entry.attempt)
        log.info("recovered", command_id=str(entry.command_id), was=entry.state)


def _hold_of(entry: Entry, registration: Registration) -> Hold:
    nobody = OfficeId(entry.command_id)  # the outbox delivers by command alone
    command = Command(entry.command_id, entry.attempt, nobody, None, CommandType(entry.command_type), {})
    return Hold(command, registration.epoch, lease_clock())
