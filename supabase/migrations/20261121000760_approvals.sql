-- What an agent asks leave for: each row is one exact action, answered once by somebody who may, or by time.

create type approval_status as enum (
  'pending',    -- the agent stands still until it is answered                              → approved, denied, expired, withdrawn
  'approved',   -- this one action may be done                                              final
  'denied',     -- it may not; `message` tells the agent why                                final
  'expired',    -- nobody answered in time: denied                                          final
  'withdrawn'   -- the agent waits no longer: answered at its terminal, or its turn is over final
);

-- How long a request waits for an answer.
alter table offices add column approval_seconds integer not null default 900 check (approval_seconds between 10 and 86400);

create table approvals (
  id           uuid primary key,  -- the client's own, and the same when it asks again after a restart
  office_id    uuid not null references offices on delete cascade,
  client_id    uuid not null references remote_clients on delete cascade,
  session_id   uuid not null references agent_sessions on delete cascade,
  command_id   uuid not null references agent_commands on delete cascade,
  attempt      integer not null,
  turn_id      uuid not null,
  tool         text not null check (length(tool) between 1 and 200),
  input        jsonb not null,    -- as people may see it: what the machine's policy redacts is not in it
  cwd          text not null,
  digest       text not null check (digest ~ '^[0-9a-f]{64}$'),  -- sha256 of the action as the agent asked for it, to the byte
  redacted     boolean not null default false,                   -- whether `input` hides something of it
  status       approval_status not null default 'pending',
  requested_at timestamptz not null,                             -- on the client's clock
  created_at   timestamptz not null default now(),
  expires_at   timestamptz not null,
  answered_at  timestamptz,       -- when it was answered, or stopped waiting
  answered_by  text,
  message      text check (length(message) <= 4096),  -- for the agent; of one that was withdrawn: why
  delivered_at timestamptz,       -- when the terminal had exactly this answer
  check ((status = 'pending') = (answered_at is null)),
  check ((status in ('approved', 'denied')) = (answered_by is not null))
);
create index approvals_office  on approvals (office_id, created_at desc);
create index approvals_command on approvals (command_id);
create index approvals_session on approvals (session_id);
create index approvals_waiting on approvals (expires_at) where status = 'pending';

-- Tells of a move; its client, too, that stands still until there is an answer. Kinds: approval.requested, .approved, .denied, .expired,
-- .withdrawn.
create function semo.approval_moved(p_approval approvals)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.tell(p_approval.office_id, 'approval.' || case p_approval.status when 'pending' then 'requested' else p_approval.status::text end,
    jsonb_build_object('approval_id', p_approval.id, 'tool', p_approval.tool, 'digest', p_approval.digest, 'by', p_approval.answered_by,
                       'message', p_approval.message), p_approval.session_id, p_approval.command_id);
  if p_approval.status in ('approved', 'denied') then
    perform semo.hint(p_approval.office_id, 'commands', 'approval', jsonb_build_object(
      'approval_id', p_approval.id, 'session_id', p_approval.session_id, 'command_id', p_approval.command_id, 'client_id', p_approval.client_id,
      'status', p_approval.status));
  end if;
end $$;

-- Draws: pending → p_status, of a row that the caller has locked.
create function semo.move_approval(p_approval approvals, p_status approval_status, p_by text, p_message text)
returns approvals language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if p_approval.status <> 'pending' then
    perform semo.refuse('SO002', format('approval %s is %s and stays so', p_approval.id, p_approval.status));
  end if;
  update approvals set status = p_status, answered_at = now(), answered_by = p_by, message = p_message
  where id = p_approval.id returning * into p_approval;
  perform semo.approval_moved(p_approval);
  return p_approval;
end $$;

-- Whether the turn that asks still runs, as far as the office knows.
create function semo.approval_is_of_a_turn(p_approval approvals)
returns boolean language sql stable security definer set search_path = public, pg_temp as $$
  select exists (
    select 1 from agent_commands c join agent_sessions s on s.id = p_approval.session_id and s.ended_at is null
    where c.id = p_approval.command_id and c.attempt = p_approval.attempt and c.status = 'processing')
$$;

-- Draws: (insert) → pending, for the owner of a running prompt. Asking for the same again changes nothing.
create function request_approval(p_client uuid, p_epoch bigint, p_approval uuid, p_session uuid, p_command uuid, p_attempt integer,
                                 p_turn uuid, p_tool text, p_input jsonb, p_cwd text, p_digest text,
                                 p_redacted boolean default false, p_requested_at timestamptz default now())
returns approvals language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands := semo.held_command(p_client, p_epoch, p_command, p_attempt);
  v_approval approvals;
begin
  if not exists (select 1 from agent_sessions where id = p_session and client_id = p_client and office_id = v_command.office_id
                 and ended_at is null and v_command.session_id = p_session) then
    perform semo.refuse('SO003', format('there is no session %s of client %s in which command %s runs', p_session, p_client, p_command));
  end if;
  insert into approvals (id, office_id, client_id, session_id, command_id, attempt, turn_id, tool, input, cwd, digest, redacted,
                         requested_at, expires_at)
  select p_approval, o.id, p_client, p_session, p_command, p_attempt, p_turn, p_tool, p_input, p_cwd, p_digest, p_redacted,
         p_requested_at, now() + make_interval(secs => o.approval_seconds)
  from offices o where o.id = v_command.office_id
  on conflict (id) do nothing returning * into v_approval;
  if v_approval.id is not null then
    perform semo.approval_moved(v_approval);
    return v_approval;
  end if;
  select * into v_approval from approvals where id = p_approval;
  if (v_approval.command_id, v_approval.attempt, v_approval.session_id, v_approval.digest)
     is distinct from (p_command, p_attempt, p_session, p_digest) then
    perform semo.refuse('SO002', format('approval %s is of another action', p_approval));
  end if;
  return v_approval;
end $$;

-- Draws: pending → approved, pending → denied, of a row that the caller has locked and may answer. Once: the same answer of the same
-- person again changes nothing, any other is refused. p_digest: of the action that was looked at; another one is refused.
create function semo.take_answer(p_approval approvals, p_status approval_status, p_message text, p_digest text, p_by text)
returns approvals language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if p_status not in ('approved', 'denied') then
    perform semo.refuse('SO004', format('an approval is answered with approved or denied, not with %s', p_status));
  elsif length(p_message) > 4096 then
    perform semo.refuse('SO004', format('the message is %s characters long; at most 4096 are taken', length(p_message)));
  elsif p_digest is distinct from p_approval.digest and p_digest is not null then
    perform semo.refuse('SO002', format('approval %s is of another action than the one that was looked at', p_approval.id), 'look at it again');
  elsif p_approval.status = p_status and p_approval.answered_by = p_by and p_approval.message is not distinct from p_message then
    return p_approval;
  elsif p_approval.status in ('approved', 'denied') then
    perform semo.refuse('SO002', format('approval %s was %s by %s at %s', p_approval.id, p_approval.status, p_approval.answered_by, p_approval.answered_at));
  elsif p_approval.status = 'withdrawn' then
    perform semo.refuse('SO002', format('approval %s waits no longer: %s', p_approval.id, coalesce(p_approval.message, 'it was withdrawn')));
  elsif p_approval.status = 'expired' or p_approval.expires_at <= now() then
    perform semo.refuse('SO002', format('approval %s expired at %s, unanswered, and was denied', p_approval.id, p_approval.expires_at));
  elsif not semo.approval_is_of_a_turn(p_approval) then
    perform semo.refuse('SO002', format('approval %s comes too late: its turn is over', p_approval.id));
  end if;
  return semo.move_approval(p_approval, p_status, p_by, p_message);
end $$;

-- p_by: who answers, from the office server alone.
create function answer_approval(p_approval uuid, p_status approval_status, p_message text default null, p_digest text default null,
                                p_by text default null)
returns approvals language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_approval approvals;
begin
  select * into v_approval from approvals where id = p_approval for no key update;
  if v_approval.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_approval.office_id, 'operator')) then
    perform semo.refuse('SO003', format('there is no approval %s', p_approval));
  end if;
  return semo.take_answer(v_approval, p_status, p_message, p_digest,
    case when auth.role() = 'authenticated' then 'user:' || auth.uid() else coalesce(p_by, auth.role(), 'sql:' || session_user) end);
end $$;

-- By the person at the machine whose agent asks, of the action that was looked at there.
create function answer_approval_here(p_client uuid, p_epoch bigint, p_approval uuid, p_status approval_status, p_digest text,
                                     p_message text default null)
returns approvals language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_client remote_clients := semo.own_client(p_client, p_epoch);
  v_approval approvals;
begin
  select * into v_approval from approvals where id = p_approval and client_id = p_client for no key update;
  if v_approval.id is null then
    perform semo.refuse('SO003', format('there is no approval %s of client %s', p_approval, p_client));
  elsif p_digest is null then
    perform semo.refuse('SO004', 'an answer says which action it is for: p_digest');
  end if;
  return semo.take_answer(v_approval, p_status, p_message, p_digest, 'machine:' || v_client.name);
end $$;

-- Those of the named approvals that wait no longer. Draws: pending → expired.
create function watch_approvals(p_client uuid, p_epoch bigint, p_approvals uuid[])
returns setof approvals language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_approval approvals;
begin
  perform semo.own_client(p_client, p_epoch);
  for v_approval in
    select * from approvals where id = any (p_approvals) and client_id = p_client and status = 'pending' and expires_at <= now()
    order by id for no key update
  loop
    perform semo.move_approval(v_approval, 'expired', null, null);
  end loop;
  return query select * from approvals where id = any (p_approvals) and client_id = p_client and status <> 'pending';
end $$;

-- Draws: pending → withdrawn. The agent waits no longer. What was answered stays so; returns what it is.
create function withdraw_approval(p_client uuid, p_epoch bigint, p_approval uuid, p_reason text)
returns approval_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_approval approvals;
begin
  perform semo.own_client(p_client, p_epoch);
  select * into v_approval from approvals where id = p_approval and client_id = p_client for no key update;
  if v_approval.id is null then
    perform semo.refuse('SO003', format('there is no approval %s of client %s', p_approval, p_client));
  elsif v_approval.status = 'pending' then
    v_approval := semo.move_approval(v_approval, 'withdrawn', null, left(p_reason, 4096));
  end if;
  return v_approval.status;
end $$;

-- The terminal has exactly this answer.
create function approval_delivered(p_client uuid, p_epoch bigint, p_approval uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  update approvals set delivered_at = coalesce(delivered_at, now())
  where id = p_approval and client_id = p_client and status in ('approved', 'denied', 'expired');
  if not found then
    perform semo.refuse('SO003', format('there is no answered approval %s of client %s', p_approval, p_client));
  end if;
end $$;

-- Draws: pending → expired, pending → withdrawn, of those whose client does not tell: their time or their turn is over.
create function settle_approvals()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_approval approvals;
  v_count integer := 0;
begin
  for v_approval in select * from approvals where status = 'pending' order by id for no key update skip locked loop
    if not semo.approval_is_of_a_turn(v_approval) then
      perform semo.move_approval(v_approval, 'withdrawn', null, 'its turn is over');
    elsif v_approval.expires_at <= now() then
      perform semo.move_approval(v_approval, 'expired', null, null);
    else
      continue;
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

alter table approvals enable row level security;
revoke all on approvals from anon, authenticated, service_role;
grant select on approvals to authenticated, service_role;
create policy "members and the machine see the approvals" on approvals
  for select to authenticated using (semo.has_role(office_id, 'viewer') or client_id = semo.calling_client());

revoke execute on function settle_approvals from public, anon, authenticated;
grant execute on function settle_approvals to service_role;
revoke execute on function request_approval, answer_approval, answer_approval_here, watch_approvals, withdraw_approval, approval_delivered from public, anon;
grant execute on function request_approval, answer_approval, answer_approval_here, watch_approvals, withdraw_approval, approval_delivered to authenticated, service_role;
