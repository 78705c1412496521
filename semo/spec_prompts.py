"""Shows and changes what an office tells the agents of its spec tasks."""

from pathlib import Path

from rich.table import Column, Table

from semo import console
from semo.office_api import OfficeApi
from semo.specs import text_of


async def list_all(api: OfficeApi, *, as_json: bool) -> None:
    async with api:
        found = await api.get("/spec-prompts")
    if as_json:
        console.machine(found)
        return
    rows = Table("prompt", Column("words", no_wrap=True), "by", Column("since", no_wrap=True), "needs")
    for one in found["prompts"]:
        words = "of the server" if one["is_default"] else f"its own, version {one['version']}"
        since = str(one["created_at"] or "")[:16].replace("T", " ")
        rows.add_row(one["kind"], words, one["author"] or "", since, " ".join(f"{{{{{n}}}}}" for n in one["needed"]))
    console.table(rows)


async def show(api: OfficeApi, kind: str, version: int | None) -> None:
    async with api:
        found = await api.get(f"/spec-prompts/{kind}", version=version)
    console.out.print(found["text"], markup=False, highlight=False, soft_wrap=True)


async def save(api: OfficeApi, kind: str, file: Path, *, preview: bool) -> None:
    body = {"text": text_of(f"@{file}")}
    async with api:
        if preview:
            said = await api.post(f"/spec-prompts/{kind}/preview", body)
            console.out.print(said["text"], markup=False, highlight=False, soft_wrap=True)
            return
        saved = await api.put(f"/spec-prompts/{kind}", body)
    console.good(f"agents in {kind} are told version {saved['version']} from now on")


async def reset(api: OfficeApi, kind: str) -> None:
    async with api:
        await api.delete(f"/spec-prompts/{kind}")
    console.good(
        f"agents in {kind} are told the words of the office server again; semo spec prompt show has the others"
    )
