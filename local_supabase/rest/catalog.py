"""What the database has to offer: tables with their columns, functions with their arguments. Learned by heart."""

from collections import defaultdict
from dataclasses import dataclass, field

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import class_row

from local_supabase.rest.preferences import EXPOSED_SCHEMAS


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    type_name: str
    default: str | None
    """The SQL of its default, also for identity columns."""
    in_primary_key: bool


@dataclass(frozen=True)
class Function:
    name: str
    argument_names: list[str]
    argument_types: list[str]
    required: int
    """How many of the arguments have no default; they come first."""
    returns_set: bool
    returns_void: bool
    returns_rows: bool
    """Rows with named columns, rather than one value."""

    def accepts(self, given: frozenset[str]) -> bool:
        return given.issuperset(self.argument_names[: self.required]) and given.issubset(self.argument_names)


@dataclass(frozen=True)
class Catalog:
    """One schema's tables and functions, by name."""

    tables: dict[str, dict[str, Column]] = field(default_factory=dict[str, dict[str, Column]])
    functions: dict[str, list[Function]] = field(default_factory=dict[str, list[Function]])


_COLUMNS = """
select c.relname as "table", a.attname as name, format_type(a.atttypid, a.atttypmod) as type_name,
  case when a.attidentity <> ''
         then format('nextval(%L::regclass)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname))
       when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as "default",
  coalesce(a.attnum = any (p.conkey), false) as in_primary_key
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'v', 'm', 'f', 'p')
order by c.relname, a.attnum
"""

_FUNCTIONS = """
select p.proname as name, argument_names, argument_types, p.pronargs - p.pronargdefaults as required,
  p.proretset as returns_set, p.prorettype = 'void'::regtype as returns_void,
  r.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false) as returns_rows
from pg_proc p
join pg_type r on r.oid = p.prorettype
cross join lateral (
  select coalesce(array_agg(p.proargnames[i] order by i), '{}') as argument_names
  from generate_series(1, coalesce(cardinality(p.proargnames), 0)) as i
  where coalesce(p.proargmodes[i]::text, 'i') in ('i', 'b')
) as names
cross join lateral (
  select coalesce(array_agg(format_type(t, null) order by n), '{}') as argument_types
  from unnest(p.proargtypes) with ordinality as _ (t, n)
) as types
where p.pronamespace = to_regnamespace($1) and p.prokind = 'f' and p.provariadic = 0
  and (p.pronargs = 0 or p.proargnames is not null)
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
"""


async def load_catalogs(connection: AsyncConnection) -> dict[str, Catalog]:
    """Reads what each exposed schema holds now. The connection must be able to read pg_catalog."""
    return {schema: await _load(connection, schema) for schema in EXPOSED_SCHEMAS}


async def _load(connection: AsyncConnection, schema: str) -> Catalog:
    # A search path of nothing makes every type and default come with its schema.
    async with connection.transaction():
        await connection.execute("set local search_path = ''")
        tables: defaultdict[str, dict[str, Column]] = defaultdict(dict)
        async with AsyncRawCursor(connection, row_factory=class_row(Column)) as cursor:
            async for column in await cursor.execute(_COLUMNS, (schema,)):
                tables[column.table][column.name] = column
        functions: defaultdict[str, list[Function]] = defaultdict(list)
        async with AsyncRawCursor(connection, row_factory=class_row(Function)) as cursor:
            async for function in await cursor.execute(_FUNCTIONS, (schema,)):
                functions[function.name].append(function)
    return Catalog(dict(tables), dict(functions))
