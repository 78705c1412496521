"""Joins an office with a one-time code. What comes back is kept by `credentials`."""

from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from remote_client.credentials import Credentials, JoinedOffice, load, save
from remote_client.supabase_calls import SupabaseCalls
from shared.errors import BackendDown, ClientRevoked, Conflict, InvalidPayload, NotFound, OfficeError, by_code
from shared.tls import tls_for

UNAUTHENTICATED = 401
_PROBLEM_PREFIX = "urn:semo:problem:"


def read_invitation(invitation: str, office_url: str | None) -> tuple[str, str]:
    """The office's address and the code, of a code as it is or within its link.

    Raises:
        InvalidPayload: nothing says where the office is.
    """
    address, mark, in_link = invitation.strip().partition("/join#")
    code = in_link if mark else address
    url = office_url or (address if mark else None)
    if url is None:
        raise InvalidPayload(
            "a code alone does not say where its office is",
            advice=f"semo client join {code} --office-url URL, or the whole link in quotes",
        )
    return url, code


async def join(
    office_url: str,
    code: str,
    name: str,
    state: Path,
    *,
    timeout_seconds: float = 30,
    http: httpx.AsyncClient | None = None,
) -> Credentials:
    """Spends the code and saves who we are from now on. A machine that serves an office already, and was not revoked,
    stays the client that it is and serves the new one as well; its name is the one that it has.

    Raises:
        BadEnrollmentCode: wrong, used or too old.
        Conflict: the new office is in another Supabase project.
        BackendDown: the office does not answer; the code is still good.
    """
    known = _known(state)
    headers: dict[str, str] = {}
    if known is not None:
        try:
            headers["Authorization"] = f"Bearer {await _own_token(known, timeout_seconds)}"
        except ClientRevoked:
            known = None  # it did not know yet
    client = http or httpx.AsyncClient(timeout=timeout_seconds, verify=tls_for(office_url))
    base = office_url.rstrip("/")
    try:
        answer = await client.post(f"{base}/api/enroll", json={"code": code, "name": name}, headers=headers)
    except httpx.HTTPError as error:
        raise BackendDown(
            f"the office at {office_url} does not answer ({type(error).__name__})",
            advice="check the address, try again",
        ) from error
    finally:
        if http is None:
            await client.aclose()
    if answer.status_code == UNAUTHENTICATED and known is not None:
        raise Conflict(
            f"the office at {office_url} does not know this machine: it serves one of another Supabase project",
            advice=f"give it a client of its own: semo client join {code} --office-url {base} --state FOLDER",
        )
    if answer.status_code >= 300:
        raise _problem(answer)
    credentials = _kept(answer.json(), known, base)
    save(credentials, state)
    return credentials


def _known(state: Path) -> Credentials | None:
    """Who this machine is already; None when it is nobody, or nobody any more."""
    try:
        known = load(state)
    except NotFound:
        return None
    return None if known.revoked_at is not None else known


async def _own_token(known: Credentials, timeout_seconds: float) -> str:
    calls = await SupabaseCalls.connect(known, timeout_seconds)
    try:
        return await calls.tokens.access_token()
    finally:
        await calls.close()


def _kept(body: dict[str, Any], known: Credentials | None, office_url: str) -> Credentials:
    office = JoinedOffice(office_id=body["office_id"], name=body["office_name"])
    if known is not None:
        others = [one for one in known.offices if one.office_id != office.office_id]
        return known.model_copy(update={"offices": [*others, office], "office_url": office_url})
    return Credentials(
        supabase_url=body["supabase_url"],
        publishable_key=body["publishable_key"],
        email=body["email"],
        password=SecretStr(body["password"]),
        client_id=body["client_id"],
        offices=[office],
        office_url=office_url,
    )


def _problem(answer: httpx.Response) -> OfficeError:
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        body = {}
    code = str(body.get("type", "")).removeprefix(_PROBLEM_PREFIX)
    error = by_code().get(code, OfficeError)
    return error(str(body.get("detail") or f"the office answered {answer.status_code}"), advice=body.get("advice"))
