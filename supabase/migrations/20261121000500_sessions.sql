-- Terminals and what happened in them.

create type session_status as enum (
  'creating',          -- its worktree and process are being made       → ready, error, terminated
  'ready',             -- the agent waits for a prompt                  → executing, creating (reset), error, terminated
  'executing',         -- a turn runs                                   → ready, waiting_input, needs_permission, error, terminated
  'waiting_input',     -- the agent asked a question                    → ready, executing, needs_permission, creating (reset), error, terminated
  'needs_permission',  -- the agent asks whether it may do something    → ready, executing, waiting_input, creating (reset), error, terminated
  'error',             -- it broke; what it left behind is kept         → creating (reset), terminated
  'terminated'         -- over; its output and its branch stay          final
);
create type session_pool as enum ('warm', 'cold');
create type turn_outcome as enum ('done', 'error', 'interrupted', 'needs_permission', 'waiting_input', 'lost');

create table agent_sessions (
  id               uuid primary key default gen_random_uuid(),
  office_id        uuid not null references offices on delete cascade,
  client_id        uuid not null references remote_clients on delete cascade,
  role             text not null,
  persona_id       uuid references agent_personas on delete set null,
  persona_version  integer,
  agent            text not null,
  model            text,
  pool             session_pool not null default 'cold',
  status           session_status not null default 'creating',
  acquired_by      uuid references agent_commands on delete set null,  -- null: idle in its pool
  held_since       timestamptz not null default now(),                 -- since when it is in these hands, or idle
  task             text,
  worktree_path    text,
  branch           text,
  pid              integer,
  cols             integer not null default 120,
  rows             integer not null default 40,
  agent_session    text,           -- the agent's own name for the conversation, for resuming it
  output_bytes     bigint not null default 0,
  created_at       timestamptz not null default now(),
  last_activity_at timestamptz not null default now(),
  ended_at         timestamptz,
  end_reason       text
);
create index agent_sessions_office on agent_sessions (office_id, created_at desc);
create index agent_sessions_held   on agent_sessions (acquired_by) where acquired_by is not null;
create index agent_sessions_alive  on agent_sessions (client_id) where ended_at is null;

alter table agent_commands add foreign key (session_id) references agent_sessions on delete set null;

create function semo.session_changes_hands() returns trigger language plpgsql as $$
begin
  new.held_since := now();
  return new;
end $$;
create trigger session_changes_hands before update of acquired_by on agent_sessions
  for each row when (new.acquired_by is distinct from old.acquired_by) execute function semo.session_changes_hands();

create table session_turns (
  id            uuid primary key,
  session_id    uuid not null references agent_sessions on delete cascade,
  command_id    uuid references agent_commands on delete set null,
  attempt       integer,
  started_at    timestamptz not null default now(),
  ended_at      timestamptz,
  outcome       turn_outcome,
  marker        boolean,
  evidence      jsonb not null default '[]',
  output_start  bigint,
  output_end    bigint,
  commits       jsonb not null default '[]',
  pull_requests jsonb not null default '[]',
  cost_usd      numeric,
  duration_s    numeric
);
create index session_turns_session on session_turns (session_id, started_at);
create index session_turns_command on session_turns (command_id);

-- All that moves in an office, in an order in which it can be read on from anywhere: by (xact, id). See semo.tell.
create table session_events (
  id         bigint generated always as identity primary key,
  xact       xid8 not null default pg_current_xact_id(),  -- the transaction that told of it
  office_id  uuid not null references offices on delete cascade,
  session_id uuid references agent_sessions on delete cascade,
  command_id uuid references agent_commands on delete cascade,
  kind       text not null,
  detail     jsonb not null default '{}',
  at         timestamptz not null default now()
);
create index session_events_session on session_events (session_id, id);
create index session_events_office  on session_events (office_id, xact, id);
create index session_events_tools   on session_events (session_id, id) where kind in ('tool.began', 'tool.ended');
create index session_events_age     on session_events (at);
create index session_events_command on session_events (command_id) where command_id is not null;

-- The terminal's own bytes, decoded. A chunk that arrives twice changes nothing.
create table session_output (
  session_id   uuid not null references agent_sessions on delete cascade,
  start_offset bigint not null check (start_offset >= 0),
  end_offset   bigint not null check (end_offset > start_offset),
  text         text not null,
  at           timestamptz not null default now(),
  primary key (session_id, start_offset)
);
create index session_output_age on session_output (at);

create function semo.session_may_become(p_from session_status, p_to session_status)
returns boolean language sql immutable as $$
  select p_to = any (case p_from
    when 'creating'         then '{ready,error,terminated}'
    when 'ready'            then '{executing,creating,error,terminated}'
    when 'executing'        then '{ready,waiting_input,needs_permission,error,terminated}'
    when 'waiting_input'    then '{ready,executing,needs_permission,creating,error,terminated}'
    when 'needs_permission' then '{ready,executing,waiting_input,creating,error,terminated}'
    when 'error'            then '{creating,terminated}'
    else '{}' end::session_status[])
$$;

alter table agent_sessions enable row level security;
alter table session_turns  enable row level security;
alter table session_events enable row level security;
alter table session_output enable row level security;

revoke all on agent_sessions, session_turns, session_events, session_output from anon, authenticated, service_role;
revoke all on sequence session_events_id_seq from anon, authenticated, service_role;
grant select on agent_sessions, session_turns, session_events, session_output to authenticated, service_role;

-- Security definer, so that a policy on the rows of a session needs no second policy check per row.
create function semo.sees_session(p_session uuid)
returns boolean language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select 1 from agent_sessions s
                 where s.id = p_session and (semo.has_role(s.office_id, 'viewer') or s.client_id = semo.calling_client()))
$$;
create policy "members and the machine see its sessions" on agent_sessions
  for select to authenticated using (semo.has_role(office_id, 'viewer') or client_id = semo.calling_client());
create policy "whoever sees the session" on session_turns for select to authenticated using (semo.sees_session(session_id));
create policy "whoever sees the session" on session_output for select to authenticated using (semo.sees_session(session_id));
create policy "members see the events" on session_events for select to authenticated using (semo.has_role(office_id, 'viewer'));
