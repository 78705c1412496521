"""What `semo doctor` finds out about this machine as a client: which offices it serves, whether they let it in, and
what may run here. Changes nothing; signs in for a moment.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from remote_client.adapters import available_adapters
from remote_client.credentials import Credentials, load
from remote_client.policy import load_policy
from remote_client.supabase_calls import SupabaseCalls
from semo.finding import Finding
from shared.errors import ClientRevoked, NotFound, OfficeError

_SECONDS = 5.0
_SKEW_SECONDS = 5
_LONG_LIFE_SECONDS = 600


async def client_findings(state: Path, policy: Path) -> AsyncIterator[Finding]:
    """All there is to say of the client in `state`; nothing when this machine has not joined an office there."""
    try:
        known = load(state)
    except NotFound:
        return
    except OfficeError as error:
        yield Finding("client", "missing", error.detail, error.advice or "")
        return
    offices = ", ".join(office.name for office in known.offices) or "none"
    yield Finding("client", "ok", f"{known.client_id} of {offices}, in {state}")
    yield _policy_finding(policy)
    try:
        known.require_not_revoked()
    except ClientRevoked as error:
        yield Finding("identity", "missing", error.detail, error.advice or "")
        return
    async with httpx.AsyncClient(timeout=_SECONDS) as http:
        if known.office_url is not None:
            yield await _office_finding(http, known.office_url)
        async for finding in _supabase_findings(http, known):
            yield finding


def _policy_finding(file: Path) -> Finding:
    try:
        policy = load_policy(file)
    except OfficeError as error:
        return Finding("policy", "missing", error.detail, error.advice or "mend the file (docs/policy.md)")
    roots = ", ".join(str(root) for root in policy.allowed_roots)
    absent = [str(root) for root in policy.allowed_roots if not root.is_dir()]
    if absent:
        return Finding(
            "policy", "missing", f"{file} allows {', '.join(absent)}, which is not there", "make it, or name another"
        )
    found = available_adapters(policy)
    wanted = [name for name, rule in policy.agents.items() if rule.enabled]
    if lacking := [name for name in wanted if name not in found]:
        return Finding("policy", "note", f"{file} allows {', '.join(lacking)}, which cannot be run here", "install it")
    if not wanted:
        return Finding(
            "policy", "missing", f"{file} allows no agent", "add one, such as [agents.claude] (docs/policy.md)"
        )
    return Finding("policy", "ok", f"{file}: {', '.join(wanted)} below {roots}; nothing outside can run")


async def _office_finding(http: httpx.AsyncClient, url: str) -> Finding:
    try:
        answer = await http.get(f"{url}/healthz")
    except httpx.HTTPError as error:
        return Finding(
            "office server", "note", f"{url} does not answer ({type(error).__name__})",
            "work goes on without it; a tunnel to it may be gone",
        )  # fmt: skip
    return Finding("office server", "ok" if answer.is_success else "note", f"{url} answers {answer.status_code}")


async def _supabase_findings(http: httpx.AsyncClient, known: Credentials) -> AsyncIterator[Finding]:
    url = known.supabase_url.rstrip("/")
    headers = {"apikey": known.publishable_key}
    try:
        answer = await http.get(f"{url}/auth/v1/health", headers=headers)
    except httpx.HTTPError as error:
        yield Finding(
            "supabase", "missing", f"{url} does not answer ({type(error).__name__})",
            "check the network, and the tunnel if there is one; what runs here goes on, and is told when it is back",
        )  # fmt: skip
        return
    if answer.status_code in (401, 403):
        yield Finding(
            "supabase", "missing", f"{url} does not take this machine's publishable key", "join again with a new code"
        )
        return
    yield Finding("supabase", "ok", f"{url} answers")
    if (skew := _skew(answer)) is not None:
        yield skew
    calls = await SupabaseCalls.connect(known, _SECONDS)
    try:
        token = await calls.tokens.access_token()
        yield _token_finding(calls.tokens.life_seconds)
        yield await _seen_by_the_office(http, url, headers | {"Authorization": f"Bearer {token}"}, known)
    except ClientRevoked as error:
        yield Finding("identity", "missing", error.detail, error.advice or "")
    except OfficeError as error:
        yield Finding("identity", "missing", error.detail, error.advice or "try again")
    finally:
        await calls.close()


def _skew(answer: httpx.Response) -> Finding | None:
    told = answer.headers.get("date")
    if told is None:
        return None
    ahead = (datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds() - answer.elapsed.total_seconds() / 2
    if abs(ahead) <= _SKEW_SECONDS:
        return Finding("clock", "ok", "the same as the server's")
    side = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock", "note", f"{abs(ahead):.0f} s {side} the server's: times in events and receipts are wrong by that",
        "let the system set it, such as: timedatectl set-ntp true",
    )  # fmt: skip


def _token_finding(life_seconds: float) -> Finding:
    detail = f"signed in; its tokens live for {life_seconds:.0f} s and are renewed by themselves"
    if life_seconds <= _LONG_LIFE_SECONDS:
        return Finding("identity", "ok", detail)
    return Finding(
        "identity", "note", f"{detail}; shut out, it would hear hints for as long",
        "switch the access token hook on in the project (docs/supabase.md)",
    )  # fmt: skip


async def _seen_by_the_office(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], known: Credentials
) -> Finding:
    columns = "name,last_seen_at,signed_off_at,connection,draining_since,paused_since"
    try:
        answer = await http.get(
            f"{url}/rest/v1/remote_clients?id=eq.{known.client_id}&select={columns}", headers=headers
        )
        rows: list[dict[str, Any]] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding(
            "in the office", "missing", f"it cannot be asked ({type(error).__name__})", "apply the migrations"
        )
    if not rows:
        return Finding("in the office", "missing", "no office knows this machine", "join again with a new code")
    row = rows[0]
    seen = row["last_seen_at"]
    since = f"last seen {seen[:16].replace('T', ' ')} UTC" if seen else "never seen"
    if row["draining_since"]:
        return Finding(
            "in the office", "note", f"{row['name']} takes no new work", f"semo clients drain {row['name']} --off"
        )
    if row.get("paused_since"):
        return Finding("in the office", "note", f"{row['name']} is paused: no new work", "semo client resume")
    if seen is None or row["signed_off_at"]:
        return Finding("in the office", "note", f"{row['name']} is not running ({since})", "semo client start")
    return Finding("in the office", "ok", f"{row['name']}, {row['connection'] or 'polling'}, {since}")
