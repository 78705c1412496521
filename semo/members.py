"""The people of an office: who there is, letting one in, another role, and the way out."""

from typing import Any

from rich.table import Table

from semo import console
from semo.office_api import OfficeApi
from semo.problems import Exit, SemoError

Row = dict[str, Any]


async def show(api: OfficeApi, *, as_json: bool) -> None:
    members: list[Row] = (await api.get("/members"))["members"]
    if as_json:
        console.machine(members)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("email", "role", "since", "last sign-in"):
        table.add_column(column, no_wrap=True)
    for one in members:
        table.add_row(_plain(one["email"] or one["user_id"]), one["role"], _day(one["created_at"]),
                      _day(one["last_sign_in_at"]))  # fmt: skip
    if members:
        console.table(table)
    else:
        console.step(
            "nobody is a member of this office yet; let somebody in with: semo members add EMAIL --role operator"
        )


async def add(api: OfficeApi, email: str, role: str, *, as_json: bool) -> None:
    made: Row = await api.post("/members", {"email": email, "role": role})
    if as_json:
        console.machine(made)
        return
    console.good(f"{_plain(made['email'])} is a member of this office: {made['role']}")
    if made["password"]:
        console.step("new to this Supabase project, with this password, which is shown once:")
        console.out.print(f"\n    {made['password']}\n", markup=False)
    else:
        console.step("signs in with the password that they have in this Supabase project")


async def change(api: OfficeApi, email: str, role: str) -> None:
    member = await _the(api, email)
    await api.patch(f"/members/{member['user_id']}", {"role": role})
    console.good(f"{_plain(email)} has the role {role} now")


async def remove(api: OfficeApi, email: str) -> None:
    member = await _the(api, email)
    await api.delete(f"/members/{member['user_id']}")
    console.good(f"{_plain(email)} is no member of this office any more; what they asked for goes on")


async def _the(api: OfficeApi, email: str) -> Row:
    """
    Raises:
        SemoError: nobody here has that address.
    """
    members: list[Row] = (await api.get("/members"))["members"]
    for one in members:
        if (one["email"] or "").lower() == email.lower():
            return one
    names = ", ".join(_plain(one["email"] or one["user_id"]) for one in members) or "nobody"
    raise SemoError(f"{email!r} is no member of this office", do=f"there are: {names}", exit_code=Exit.REFUSED)


def _day(at: str | None) -> str:
    return f"{at[:16].replace('T', ' ')} UTC" if at else "never"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
