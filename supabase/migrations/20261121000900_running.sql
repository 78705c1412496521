-- What a client reports of its sessions: opening, moving, holding and ending them, progress of prompts, output, events.

-- Draws the arrows of session_status; refuses any other. A move to the same status only touches last_activity_at.
create function semo.move_session(p_client uuid, p_session uuid, p_status session_status)
returns agent_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session agent_sessions;
begin
  select * into v_session from agent_sessions where id = p_session and client_id = p_client for no key update;
  if v_session.id is null then
    perform semo.refuse('SO003', format('there is no session %s of client %s', p_session, p_client));
  elsif v_session.status <> p_status and not semo.session_may_become(v_session.status, p_status) then
    perform semo.refuse('SO002', format('session %s is %s and cannot become %s', p_session, v_session.status, p_status));
  end if;
  update agent_sessions
  set status = p_status, last_activity_at = now(),
      ended_at = case when p_status = 'terminated' then coalesce(ended_at, now()) end,
      acquired_by = case when p_status <> 'terminated' then acquired_by end
  where id = p_session returning * into v_session;
  return v_session;
end $$;

-- Draws: (insert) → creating. Telling of the same session again changes nothing. The id is the client's own.
-- p_command: the command it is held for, or null for one that waits in a pool.
create function open_session(p_client uuid, p_epoch bigint, p_session uuid, p_office uuid, p_role text, p_agent text, p_pool session_pool,
                             p_command uuid default null, p_attempt integer default null, p_model text default null, p_task text default null,
                             p_cols integer default 120, p_rows integer default 40)
returns agent_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_persona agent_personas := semo.persona_of(p_office, p_role);
  v_command agent_commands;
  v_session agent_sessions;
begin
  perform semo.own_client(p_client, p_epoch);
  if not exists (select 1 from client_offices where client_id = p_client and office_id = p_office) then
    perform semo.refuse('SO005', format('client %s does not serve office %s', p_client, p_office));
  elsif v_persona.id is null then
    perform semo.refuse('SO003', format('there is no persona for the role "%s" in office %s', p_role, p_office));
  end if;
  if p_command is not null then
    v_command := semo.held_command(p_client, p_epoch, p_command, p_attempt);
    if v_command.office_id <> p_office then
      perform semo.refuse('SO003', format('there is no command %s in office %s', p_command, p_office));
    end if;
  end if;
  insert into agent_sessions (id, office_id, client_id, role, persona_id, persona_version, agent, model, pool, acquired_by, task, cols, rows)
  values (p_session, p_office, p_client, v_persona.role, v_persona.id, v_persona.version, p_agent, p_model, p_pool, p_command, p_task, p_cols, p_rows)
  on conflict (id) do nothing;
  select * into v_session from agent_sessions where id = p_session;
  if v_session.client_id <> p_client or v_session.office_id <> p_office then
    perform semo.refuse('SO005', format('session %s is not one of client %s in office %s', p_session, p_client, p_office));
  end if;
  if p_command is not null then
    update agent_commands set session_id = p_session where id = p_command;
  end if;
  return v_session;
end $$;

-- Moves a session and keeps what is known of it up to date. p_facts: any of pid, worktree_path, branch, cols, rows, task,
-- agent_session, end_reason, persona_version.
create function update_session(p_client uuid, p_epoch bigint, p_session uuid, p_status session_status, p_facts jsonb default '{}')
returns agent_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session agent_sessions;
begin
  perform semo.own_client(p_client, p_epoch);
  v_session := semo.move_session(p_client, p_session, p_status);
  update agent_sessions s set
    pid = case when p_status = 'terminated' then null else coalesce(f.pid, s.pid) end,
    worktree_path = coalesce(f.worktree_path, s.worktree_path), branch = coalesce(f.branch, s.branch),
    cols = coalesce(f.cols, s.cols), rows = coalesce(f.rows, s.rows), task = coalesce(f.task, s.task),
    agent_session = coalesce(f.agent_session, s.agent_session), end_reason = coalesce(f.end_reason, s.end_reason),
    persona_version = coalesce(f.persona_version, s.persona_version)
  from jsonb_to_record(p_facts) as f(pid integer, worktree_path text, branch text, cols integer, rows integer, task text, agent_session text,
                                     end_reason text, persona_version integer)
  where s.id = p_session returning s.* into v_session;
  return v_session;
end $$;

-- Puts an idle session into the hands of a command that came without one.
create function acquire_session(p_client uuid, p_epoch bigint, p_session uuid, p_command uuid, p_attempt integer)
returns agent_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands := semo.held_command(p_client, p_epoch, p_command, p_attempt);
  v_session agent_sessions;
begin
  update agent_sessions set acquired_by = p_command, last_activity_at = now()
  where id = p_session and client_id = p_client and office_id = v_command.office_id and status = 'ready'
    and (acquired_by is null or acquired_by = p_command)
  returning * into v_session;
  if v_session.id is null then
    perform semo.refuse('SO002', format('session %s is not idle in the pool of client %s', p_session, p_client));
  end if;
  update agent_commands set session_id = p_session where id = p_command;
  return v_session;
end $$;

-- Puts a session back into its pool. Draws: ready, waiting_input, needs_permission, error → creating: it is idle when its client has reset
-- it and says that it is ready; should the client die before, its next start finds what is not fit for anybody.
create function release_session(p_client uuid, p_epoch bigint, p_session uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  update agent_sessions
  set acquired_by = null, last_activity_at = now(), status = case when semo.session_may_become(status, 'creating') then 'creating' else status end
  where id = p_session and client_id = p_client and ended_at is null;
end $$;

-- The steps of prompts on their way. p_steps: [{"step":"typed"|"confirmed","command_id","attempt","at","session_id"?,"turn_id"?,"output_start"?}].
-- "typed" opens the turn and moves the session to executing, unless it was told before or the session has moved on since.
-- Steps of a hold that is gone are passed over.
create function record_progress(p_client uuid, p_epoch bigint, p_steps jsonb)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_step record;
  v_session agent_sessions;
  v_count integer := 0;
begin
  perform semo.own_client(p_client, p_epoch);
  for v_step in
    select * from jsonb_to_recordset(p_steps) as s(step text, command_id uuid, attempt integer, at timestamptz, session_id uuid,
                                                   turn_id uuid, output_start bigint)
    order by command_id  -- so that two calls never wait for each other in a circle
  loop
    update agent_commands c
    set typed_at = case when v_step.step = 'typed' then coalesce(c.typed_at, v_step.at) else c.typed_at end,
        confirmed_at = case when v_step.step = 'confirmed' then coalesce(c.confirmed_at, v_step.at) else c.confirmed_at end
    where c.id = v_step.command_id and c.attempt = v_step.attempt and c.claimed_by = p_client and c.claim_epoch = p_epoch
      and c.status = 'processing';
    continue when not found;
    v_count := v_count + 1;
    if v_step.step = 'typed' and v_step.turn_id is not null then
      select * into v_session from agent_sessions where id = v_step.session_id and client_id = p_client for no key update;
      if v_session.id is null then
        perform semo.refuse('SO003', format('there is no session %s of client %s', v_step.session_id, p_client));
      end if;
      insert into session_turns (id, session_id, command_id, attempt, started_at, output_start)
      values (v_step.turn_id, v_step.session_id, v_step.command_id, v_step.attempt, v_step.at, v_step.output_start)
      on conflict (id) do nothing;
      if found and semo.session_may_become(v_session.status, 'executing') then
        perform semo.move_session(p_client, v_step.session_id, 'executing');
      end if;
    end if;
  end loop;
  return v_count;
end $$;

-- p_chunks: [{"session_id","start","end","text"}], offsets in bytes of the terminal's raw output.
-- p_awaited: the sessions into which somebody types and waits to see it; whoever looks at them is shown it.
-- What is already there is left as it is. Returns how many chunks were new.
create function append_output(p_client uuid, p_epoch bigint, p_chunks jsonb, p_awaited uuid[] default '{}')
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  perform semo.own_client(p_client, p_epoch);
  v_count := semo.keep_output(p_client, p_chunks);
  perform semo.show_output(p_client, p_awaited, p_chunks);
  return v_count;
end $$;

-- Shows those who look at sessions into which somebody types what came of it: the text itself where it is short and in one piece, as an
-- echo is, so that nobody need fetch it; else only that there is more.
create function semo.show_output(p_client uuid, p_sessions uuid[], p_chunks jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.hint(s.office_id, 'events', 'output', jsonb_build_object('session_id', s.id)
    || case when k.chunks = 1 and octet_length(k.text) <= 4096 then jsonb_build_object('start', k.start, 'end', k."end", 'text', k.text) else '{}' end)
  from agent_sessions s cross join lateral (
    select count(*) as chunks, min(c.start) as start, max(c."end") as "end", min(c.text) as text
    from jsonb_to_recordset(p_chunks) as c(session_id uuid, start bigint, "end" bigint, text text) where c.session_id = s.id) k
  where s.id = any (p_sessions) and s.client_id = p_client;
end $$;

create function semo.keep_output(p_client uuid, p_chunks jsonb)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  -- Sessions are always locked in the order of their ids.
  perform 1 from agent_sessions
  where client_id = p_client and id in (select k.session_id from jsonb_to_recordset(p_chunks) as k(session_id uuid))
  order by id for no key update;
  insert into session_output (session_id, start_offset, end_offset, text)
  select k.session_id, k.start, k."end", k.text
  from jsonb_to_recordset(p_chunks) as k(session_id uuid, start bigint, "end" bigint, text text)
  join agent_sessions s on s.id = k.session_id and s.client_id = p_client
  on conflict (session_id, start_offset) do nothing;
  get diagnostics v_count = row_count;

  update agent_sessions s set output_bytes = greatest(s.output_bytes, k.furthest), last_activity_at = now()
  from (select c.session_id, max(c."end") as furthest from jsonb_to_recordset(p_chunks) as c(session_id uuid, "end" bigint) group by 1) k
  where s.id = k.session_id and s.client_id = p_client;
  return v_count;
end $$;

-- p_events: [{"office_id","session_id"?,"command_id"?,"kind","detail"?,"at"?}].
create function record_events(p_client uuid, p_epoch bigint, p_events jsonb)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  insert into session_events (office_id, session_id, command_id, kind, detail, at)
  select e.office_id, e.session_id, e.command_id, e.kind, coalesce(e.detail, '{}'), coalesce(e.at, now())
  from jsonb_to_recordset(p_events) as e(office_id uuid, session_id uuid, command_id uuid, kind text, detail jsonb, at timestamptz)
  join client_offices o on o.client_id = p_client and o.office_id = e.office_id;
  perform semo.hint_of_news(o.office_id) from client_offices o
  where o.client_id = p_client and o.office_id in (select e.office_id from jsonb_to_recordset(p_events) as e(office_id uuid));
end $$;

-- Removes output beyond what each office keeps, oldest first, and what was seen of worktrees an hour ago. Returns how many chunks went.
create function prune_output()
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count bigint;
begin
  delete from session_output x using agent_sessions s, offices o
  where s.id = x.session_id and o.id = s.office_id
    and (x.end_offset <= s.output_bytes - o.output_keep_bytes or x.at < now() - make_interval(days => o.output_keep_days));
  get diagnostics v_count = row_count;
  update agent_command_results r set result = jsonb_build_object('forgotten', true) from agent_commands c
  where c.id = r.command_id and c.command_type = 'read_work' and c.finished_at < now() - interval '1 hour'
    and r.result is not null and not r.result ? 'forgotten';
  return v_count;
end $$;

-- Keeps the rendered text of a persona, unless it changed in the meantime. Returns whether it was kept.
create function store_rendered_persona(p_persona uuid, p_version integer, p_rendered text)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update agent_personas set rendered = p_rendered, rendered_version = p_version where id = p_persona and version = p_version;
  return found;
end $$;

-- The persona for a role as an office uses it: what a client injects.
create function get_persona(p_office uuid, p_role text)
returns setof agent_personas language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if auth.role() = 'authenticated' and not (semo.client_serves(p_office) or semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  return query select p.* from semo.persona_of(p_office, p_role) as p where p.id is not null;
end $$;

revoke execute on function prune_output, store_rendered_persona from public, anon, authenticated;
grant execute on function prune_output, store_rendered_persona to service_role;
revoke execute on function open_session, update_session, acquire_session, release_session, record_progress, append_output, record_events, get_persona from public, anon;
grant execute on function open_session, update_session, acquire_session, release_session, record_progress, append_output, record_events, get_persona to authenticated, service_role;

-- Of the helpers, callers may use what policies and the trigger of an insert call in their name; the rest is ours alone.
revoke execute on all functions in schema semo from public;
grant execute on function semo.has_role, semo.calling_client, semo.client_serves, semo.sees_session, semo.may_listen to authenticated, service_role;
grant execute on function semo.refuse, semo.persona_of, semo.field_problem, semo.in_no_session, semo.payload_problem to authenticated, service_role;
