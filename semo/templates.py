"""`semo template`: prompts with parameters, saved version by version; speaks to the office only."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

Office = AbstractAsyncContextManager[OfficeApi]


def parameters_of(written: Sequence[str], *, may_be_bare: bool = False) -> dict[str, str | None]:
    """Of `name=value`; a bare `name` is one that a job must say.

    Raises:
        SemoError: one of them is neither.
    """
    found: dict[str, str | None] = {}
    for one in written:
        name, sign, value = one.partition("=")
        if not name or not (sign or may_be_bare):
            raise SemoError(f'"{one}" is no parameter', do="write: -p name=value", exit_code=Exit.USAGE)
        found[name] = value if sign else None
    return found


async def list_all(office: Office, *, as_json: bool) -> None:
    async with office as api:
        found: list[dict[str, Any]] = (await api.get("/templates"))["templates"]
    if as_json:
        console.machine(found)
        return
    if not found:
        console.step("there are none; save one with: semo template save NAME FILE")
        return
    newest = {one["name"]: one for one in reversed(found)}
    rows = Table("template", "version", "parameters", "by", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, one in newest.items():
        rows.add_row(name, str(one["version"]), Text(_parameters(one["parameters"])), Text(one["author"] or ""))
    console.out.print(rows)


async def show(office: Office, name: str) -> None:
    """Prints its text as it is, to be changed and saved again; the rest goes to stderr."""
    async with office as api:
        found = await api.get(f"/templates/{name}")
    place = ", ".join(f"{name}: {said}" for name, said in found["defaults"].items()) or "no defaults"
    console.err.print(
        f"{found['name']}@{found['version']} · {_parameters(found['parameters']) or 'no parameters'} · {place}",
        style="dim", markup=False,
    )  # fmt: skip
    print(found["text"], end="" if found["text"].endswith("\n") else "\n")  # noqa: T201 - this is the output


async def save(
    office: Office, name: str, file: Path, parameters: dict[str, str | None], defaults: dict[str, Any]
) -> None:
    body = {"text": file.read_text(), "parameters": parameters, "defaults": defaults}
    async with office as api:
        saved = await api.put(f"/templates/{name}", body)
    console.good(f"template {name} is saved as version {saved['version']}; in plans: template: {name}")


def _parameters(of: dict[str, Any]) -> str:
    """Those that a job must say come first."""
    named = sorted(of.items(), key=lambda one: (one[1] is not None, one[0]))
    return ", ".join(name if value is None else f"{name}={value}" for name, value in named)
