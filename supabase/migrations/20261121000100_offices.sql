-- Offices, who belongs to them, the personas their agents wear, and the tokens of their API.

-- Helpers live in a schema that PostgREST does not expose.
create schema if not exists semo;
grant usage on schema semo to authenticated, service_role;

-- Our own SQLSTATEs. Python maps them by code, never by their text.
--   SO001 fenced             the caller no longer owns what it writes to (stale attempt, client or epoch)
--   SO002 illegal transition the row is not in a state from which this is possible
--   SO003 not found          no such row, or none that the caller may see
--   SO004 invalid payload    the command says something that its type does not take
--   SO005 not permitted      the caller may not do this
--   SO006 bad code           the enrolment code is wrong, used or too old
--   SO007 session ended      the session is over and takes no more commands
--   SO008 client revoked     the caller was a machine of the office, and was shut out
--   SO009 cap reached        what may be spent is spent
create function semo.refuse(p_code text, p_message text, p_hint text default null)
returns void language plpgsql as $$
begin
  if p_hint is null then
    raise exception using errcode = p_code, message = p_message;
  end if;
  raise exception using errcode = p_code, message = p_message, hint = p_hint;
end $$;

create type member_role as enum ('viewer', 'operator', 'admin');  -- each may do what those before it may

create table offices (
  id                uuid primary key default gen_random_uuid(),
  name              text not null unique check (name ~ '\S' and length(name) <= 100),
  warm_roles        text[] not null default '{FE,BE,QA}',
  session_limit     integer not null default 6 check (session_limit between 1 and 100),
  idle_seconds      integer not null default 600 check (idle_seconds >= 10),
  output_keep_bytes bigint not null default 16777216 check (output_keep_bytes >= 65536),  -- per session
  output_keep_days  integer not null default 14 check (output_keep_days >= 1),
  events_keep_days  integer not null default 30 check (events_keep_days >= 1),
  patterns          jsonb not null default '[]' check (jsonb_typeof(patterns) = 'array'),  -- what to look for besides: shared/patterns.py
  created_at        timestamptz not null default now()
);

create table office_members (
  office_id  uuid not null references offices on delete cascade,
  user_id    uuid not null references auth.users on delete cascade,
  role       member_role not null default 'viewer',
  created_at timestamptz not null default now(),
  primary key (office_id, user_id)
);

-- A persona without an office is the default of every office; an office's own row of that role replaces it.
create table agent_personas (
  id               uuid primary key default gen_random_uuid(),
  office_id        uuid references offices on delete cascade,
  role             text not null check (role ~ '^[A-Za-z][A-Za-z0-9_-]{0,31}$'),
  name             text not null,
  persona_prompt   text not null check (length(persona_prompt) <= 65536),
  scope_patterns   text[] not null default '{}',
  core_skills      text[] not null default '{}',
  version          integer not null default 1,
  rendered         text,     -- written by the office server; what clients inject
  rendered_version integer,  -- the version that `rendered` shows
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now()
);
create unique index agent_personas_role on agent_personas (office_id, lower(role)) nulls not distinct;

create function semo.persona_changed() returns trigger language plpgsql as $$
begin
  if (new.role, new.name, new.persona_prompt, new.scope_patterns, new.core_skills)
     is distinct from (old.role, old.name, old.persona_prompt, old.scope_patterns, old.core_skills) then
    new.version := old.version + 1;
    new.updated_at := now();
  else
    new.version := old.version;
  end if;
  return new;
end $$;
create trigger persona_changed before update on agent_personas
  for each row execute function semo.persona_changed();

-- Tokens of the REST API. Only the hash is kept. A token without an office is valid in all of them.
create table api_tokens (
  id           uuid primary key default gen_random_uuid(),
  office_id    uuid references offices on delete cascade,
  name         text not null check (name ~ '\S'),
  token_hash   text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),  -- sha256 of 256 random bits
  role         member_role not null,
  created_by   text not null default 'unknown',
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz
);

-- What a signed-in person may do in an office. Security definer, so that policies on office_members do not recurse.
create function semo.has_role(p_office uuid, p_least member_role)
returns boolean language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select 1 from office_members m
                 where m.office_id = p_office and m.user_id = auth.uid() and m.role >= p_least)
$$;

-- The persona that an office uses for a role, its own before the default. Case of the role does not matter.
create function semo.persona_of(p_office uuid, p_role text)
returns agent_personas language sql stable set search_path = public, pg_temp as $$
  select p from agent_personas p
  where (p.office_id = p_office or p.office_id is null) and lower(p.role) = lower(p_role)
  order by p.office_id nulls last limit 1
$$;

alter table offices        enable row level security;
alter table office_members enable row level security;
alter table agent_personas enable row level security;
alter table api_tokens     enable row level security;

revoke all on offices, office_members, agent_personas, api_tokens from anon, authenticated;
grant select on offices, office_members, agent_personas to authenticated;
grant select, insert, update, delete on offices, office_members, agent_personas, api_tokens to service_role;

create policy "members see their offices" on offices
  for select to authenticated using (semo.has_role(id, 'viewer'));
create policy "members see each other" on office_members
  for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the personas" on agent_personas
  for select to authenticated using (office_id is null or semo.has_role(office_id, 'viewer'));
