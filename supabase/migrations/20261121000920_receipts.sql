-- Receipts: when each attempt at a command was offered, claimed, typed, confirmed, finished and reported. The attempt that counts is in
-- agent_commands itself, so that a claim writes nothing more; what came before it moves here when the command is offered again.

create type attempt_end as enum (
  'given_back',  -- certainly not begun, and offered again at once
  'rescued',     -- its client vanished, and doing it twice is doing it once
  'failed'       -- it has a result row, and another try was allowed
);

create table command_attempts (
  command_id   uuid not null references agent_commands on delete cascade,
  attempt      integer not null,
  office_id    uuid not null references offices on delete cascade,
  client_id    uuid references remote_clients on delete set null,
  offered_at   timestamptz not null,
  claimed_at   timestamptz,
  typed_at     timestamptz,
  confirmed_at timestamptz,
  finished_at  timestamptz,  -- as the client says; null when it never said so
  reported_at  timestamptz,  -- when the office had its result
  ended        attempt_end not null,
  ended_at     timestamptz not null default now(),
  error_code   text,
  primary key (command_id, attempt)
);

-- Keeps the receipts of an attempt that is over while its command goes on.
create function semo.keep_attempt(p_command agent_commands)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_result agent_command_results;
begin
  select * into v_result from agent_command_results where command_id = p_command.id and attempt = p_command.attempt;
  insert into command_attempts (command_id, attempt, office_id, client_id, offered_at, claimed_at, typed_at, confirmed_at, finished_at,
                                reported_at, ended, error_code)
  values (p_command.id, p_command.attempt, p_command.office_id, p_command.claimed_by, p_command.offered_at, p_command.claimed_at,
          p_command.typed_at, p_command.confirmed_at, p_command.finished_at, v_result.created_at,
          case when v_result.command_id is not null then 'failed' when p_command.lease_until < now() then 'rescued' else 'given_back' end::attempt_end,
          v_result.error_code);
end $$;

alter table command_attempts enable row level security;
revoke all on command_attempts from anon, authenticated, service_role;
grant select on command_attempts to authenticated, service_role;
create policy "members see the receipts" on command_attempts
  for select to authenticated using (semo.has_role(office_id, 'viewer'));
revoke execute on all functions in schema semo from public;
