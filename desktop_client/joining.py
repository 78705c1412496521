"""`python -m desktop_client.joining`: joins an office as the JSON on stdin says, and answers with a line of JSON."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from remote_client.enroll import join, read_invitation
from shared.errors import OfficeError


async def _join(wish: dict[str, str]) -> dict[str, Any]:
    try:
        office_url, code = read_invitation(wish["invitation"], wish["office_url"] or None)
        joined = await join(office_url, code, wish["name"], Path(wish["state"]))
    except OfficeError as error:
        return {"error": error.code, "detail": error.detail, "advice": error.advice}
    return {"office": joined.offices[-1].name}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_join(json.load(sys.stdin)))) + "\n")
