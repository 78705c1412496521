"""Where the office's pages are, and a one-time code to sign in there; it never becomes part of an address."""

import webbrowser
from typing import Any

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError


async def show(api: OfficeApi, *, open_browser: bool, as_json: bool) -> None:
    """
    Raises:
        SemoError: the office does not answer, has no pages, or does not know the token.
    """
    address = f"{api.office_url}/dashboard/"
    try:
        code: dict[str, Any] = await api.post("/api/sign-in-codes", {})
    except SemoError as error:
        if error.exit_code is not Exit.REFUSED:
            raise
        raise SemoError(
            f"this office shows no pages: {error.what}",
            do="install the extra `dashboard`, and do not set SEMO_OFFICE_DASHBOARD=false",
            exit_code=error.exit_code,
        ) from error
    if as_json:
        console.machine({"dashboard_url": address, "code": code["code"], "expires_at": code["expires_at"]})
        return
    console.good(f"the office's pages are at {address}")
    console.step(f"sign in with the code {code['code']}, once, within a minute")
    if open_browser:
        webbrowser.open(address)
