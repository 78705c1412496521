"""Reads the headers with which a client says how it wants its answer: Accept, Prefer, Range, profiles."""

import re
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import Headers

from local_supabase.rest.errors import RestError

EXPOSED_SCHEMAS = ("public",)
JSON = "application/json"
OBJECT = "application/vnd.pgrst.object+json"
ARRAY = "application/vnd.pgrst.array+json"

Returning = Literal["minimal", "representation", "headers-only"]
Resolution = Literal["merge-duplicates", "ignore-duplicates"]
_RETURNING: dict[str, Returning] = {"representation": "representation", "headers-only": "headers-only"}
_RESOLUTION: dict[str, Resolution] = {
    "merge-duplicates": "merge-duplicates",
    "ignore-duplicates": "ignore-duplicates",
}


@dataclass(frozen=True)
class Preferences:
    schema: str = "public"
    returning: Returning = "minimal"
    count: bool = False
    resolution: Resolution | None = None
    missing_is_default: bool = False
    max_affected: int | None = None
    one_object: bool = False
    strip_nulls: bool = False
    rows: tuple[int, int | None] | None = None

    @property
    def content_type(self) -> str:
        kind = OBJECT if self.one_object else ARRAY if self.strip_nulls else JSON
        return f"{kind};nulls=stripped; charset=utf-8" if self.strip_nulls else f"{kind}; charset=utf-8"


def parse_preferences(headers: Headers, *, reading: bool) -> Preferences:
    """
    Raises:
        RestError: PGRST106 for a schema, PGRST107 for a media type that is not served.
    """
    kind, stripped = _media_type(headers.get("accept", "*/*"))
    wanted = dict(_preference(part) for part in ",".join(headers.getlist("prefer")).split(",") if part.strip())
    strict = wanted.get("handling") == "strict"
    return Preferences(
        schema=_schema(headers.get("accept-profile" if reading else "content-profile")),
        returning=_RETURNING.get(wanted.get("return", ""), "minimal"),
        count=wanted.get("count") in ("exact", "planned", "estimated"),
        resolution=_RESOLUTION.get(wanted.get("resolution", "")),
        missing_is_default=wanted.get("missing") == "default",
        max_affected=int(wanted["max-affected"]) if strict and wanted.get("max-affected", "").isdigit() else None,
        one_object=kind == OBJECT,
        strip_nulls=stripped,
        rows=_rows(headers.get("range")) if reading else None,
    )


def _media_type(accept: str) -> tuple[str, bool]:
    for offer in accept.split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        if kind in (OBJECT, ARRAY):
            return kind, "nulls=stripped" in parameters
        if kind in ("*/*", "application/*", JSON, "application/vnd.pgrst.array"):
            return JSON, False
    raise RestError(406, "PGRST107", f"None of these media types are available: {accept}")


def _preference(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _schema(profile: str | None) -> str:
    if profile is None:
        return EXPOSED_SCHEMAS[0]
    if profile not in EXPOSED_SCHEMAS:
        raise RestError(
            406, "PGRST106", f"Invalid schema: {profile}",
            hint=f"Only the following schemas are exposed: {', '.join(EXPOSED_SCHEMAS)}",
        )  # fmt: skip
    return profile


def _rows(header: str | None) -> tuple[int, int | None] | None:
    """(first, last) of `Range: 0-9` or `Range: 5-`; anything else is not for us, as in PostgREST."""
    match = re.fullmatch(r"(?:items=)?(\d+)-(\d*)", header or "")
    return (int(match[1]), int(match[2]) if match[2] else None) if match else None
