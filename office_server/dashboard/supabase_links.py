"""Where a row can be looked at in the dashboard of the Supabase project itself, told by the project's address alone."""

from urllib.parse import quote, urlsplit
from uuid import UUID

_LOCAL_API_PORT = 54321
_LOCAL_STUDIO_PORT = 54323
"""Of `supabase start`, as its configuration has them."""


def address_of_row(supabase_url: str, table: str, row: UUID) -> str | None:
    """None where there is no such dashboard, as for the embedded default."""
    asked = quote(f"select * from {table} where id = '{row}';")  # noqa: S608 - shown to a person, who runs it
    where = urlsplit(supabase_url)
    host = where.hostname or ""
    if host.endswith(".supabase.co"):
        return f"https://supabase.com/dashboard/project/{host.split('.')[0]}/sql/new?content={asked}"
    if host in ("localhost", "127.0.0.1") and where.port == _LOCAL_API_PORT:
        return f"http://{host}:{_LOCAL_STUDIO_PORT}/project/default/sql/new?content={asked}"
    return None
