"""Lets a machine into an office: the one that `semo up` runs, without asking; any other, with a code from its admin.

What the client does once it is in, and what may run, is the business of `remote_client`.
"""

import socket
from pathlib import Path

from remote_client.credentials import Credentials, load, save
from remote_client.enroll import join, read_invitation
from remote_client.policy import load_policy
from semo.folder import DataFolder, own_folder
from semo.office_api import OfficeApi
from semo.office_setup import OfficeAccess
from semo.problems import Exit, SemoError
from shared.errors import BackendDown, ClientRevoked, InvalidPayload, NotFound, OfficeError


async def join_with_code(office_url: str | None, code: str, name: str | None, state: Path) -> Credentials:
    """Spends a one-time code, given as it is or within its link. The machine is called `name`, or as its host is.

    Raises:
        SemoError: `state` is not ours to use, the code is bad, or the office does not answer (the code is still good
            then).
    """
    own_folder(state, "--state")  # before the code is spent
    try:
        office_url, code = read_invitation(code, office_url)
    except InvalidPayload as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.USAGE) from error
    try:
        return await join(office_url, code, name or socket.gethostname(), state)
    except BackendDown as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.UNREACHABLE) from error
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.REFUSED) from error


def require_fit(state: Path, policy: Path) -> None:
    """Looks whether a client can start at all.

    Raises:
        SemoError: this machine has not joined an office, or its policy is missing or wrong.
    """
    try:
        load(state).require_not_revoked()
        load_policy(policy)
    except OfficeError as error:
        raise SemoError(error.detail, do=error.advice or "", exit_code=Exit.USAGE) from error


async def ensure_joined(office_url: str, supabase_url: str, access: OfficeAccess, folder: DataFolder) -> str:
    """Enrols this machine's own client unless it is enrolled, and returns its id. Addresses may have changed since."""
    try:
        known = load(folder.client)
        known.require_not_revoked()
    except (NotFound, ClientRevoked):
        async with OfficeApi(office_url, access.token, access.office_id) as api:
            enrollment = await api.post("/enrollments", {})
        known = await join_with_code(office_url, enrollment["code"], None, folder.client)
    if known.supabase_url != supabase_url:
        known = known.model_copy(update={"supabase_url": supabase_url})
        save(known, folder.client)
    return str(known.client_id)
