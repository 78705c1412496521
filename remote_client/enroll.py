"""Joins an office with a one-time code. What comes back is kept by `credentials`."""

from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from remote_client.credentials import Credentials, JoinedOffice, save
from shared.errors import BackendDown, OfficeError, by_code

_PROBLEM_PREFIX = "urn:semo:problem:"


async def join(
    office_url: str,
    code: str,
    name: str,
    state: Path,
    *,
    timeout_seconds: float = 30,
    http: httpx.AsyncClient | None = None,
) -> Credentials:
    """Spends the code and saves who we are from now on.

    Raises:
        BadEnrollmentCode: wrong, used or too old.
        BackendDown: the office does not answer; the code is still good.
    """
    client = http or httpx.AsyncClient(timeout=timeout_seconds)
    try:
        answer = await client.post(f"{office_url.rstrip('/')}/api/enroll", json={"code": code, "name": name})
    except httpx.HTTPError as error:
        raise BackendDown(
            f"the office at {office_url} does not answer ({type(error).__name__})",
            advice="check the address, try again",
        ) from error
    finally:
        if http is None:
            await client.aclose()
    if answer.status_code >= 300:
        raise _problem(answer)
    body = answer.json()
    credentials = Credentials(
        supabase_url=body["supabase_url"],
        publishable_key=body["publishable_key"],
        email=body["email"],
        password=SecretStr(body["password"]),
        client_id=body["client_id"],
        offices=[JoinedOffice(office_id=body["office_id"], name=body["office_name"])],
    )
    save(credentials, state)
    return credentials


def _problem(answer: httpx.Response) -> OfficeError:
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        body = {}
    code = str(body.get("type", "")).removeprefix(_PROBLEM_PREFIX)
    error = by_code().get(code, OfficeError)
    return error(str(body.get("detail") or f"the office answered {answer.status_code}"), advice=body.get("advice"))
