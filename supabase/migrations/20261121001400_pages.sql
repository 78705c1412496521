-- What the office's pages show that no single table says, and how a person comes to them without showing a token.

-- A one-time code that signs a browser in as whoever asked for it. Only the hash is kept.
create table sign_in_codes (
  code_hash  text primary key check (code_hash ~ '^[0-9a-f]{64}$'),
  person     text not null check (length(person) <= 200),  -- who asked for it, as the office server names its callers
  expires_at timestamptz not null default now() + interval '1 minute'
);

-- What somebody has looked at and put away; it is not shown as waiting for a person any more.
create table attention_dismissed (
  office_id  uuid not null references offices on delete cascade,
  kind       text not null check (length(kind) <= 40),
  subject    uuid not null,  -- the command, session or client that it was about
  by         text not null,
  at         timestamptz not null default clock_timestamp(),
  primary key (office_id, kind, subject)
);

alter table sign_in_codes       enable row level security;
alter table attention_dismissed enable row level security;
revoke all on sign_in_codes, attention_dismissed from anon, authenticated, service_role;
grant select, insert, update, delete on sign_in_codes, attention_dismissed to service_role;

-- Spends a code: who asked for it. Refused with SO006 when it is wrong, used or too old.
create function redeem_sign_in_code(p_code_hash text)
returns text language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_person text;
begin
  delete from sign_in_codes where expires_at <= now();
  delete from sign_in_codes where code_hash = p_code_hash returning person into v_person;
  if v_person is null then
    perform semo.refuse('SO006', 'the sign-in code is wrong, already used, or older than a minute');
  end if;
  return v_person;
end $$;

-- What waits for a person in plans, spec tasks, branches and budgets, in the columns of semo.attention.
--   asks           an agent asked by its tool, and waits; action: {"options","expires_at"}     evidence  a job is done when a person says yes
--   review         documents to be read and decided upon                                       blocked   a job that a person answers, retries or drops
--   spec_failed    a spec task cannot go on by itself                                          cap       what may be spent is spent
--   conflict       two branches would conflict, were they merged now                           pull_conflict, pull_failed  a pull request cannot go on
create index jobs_blocked on jobs (office_id) where status = 'blocked';
create function semo.attention_of_work(p_office uuid)
returns table (urgency integer, kind text, subject uuid, session_id uuid, command_id uuid, client_id uuid, role text, title text, detail text, action jsonb, at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
  select 1, 'asks', q.id, q.session_id, null::uuid, s.client_id, s.role, q.text, null,
         jsonb_build_object('options', q.options, 'expires_at', q.expires_at), q.asked_at
  from questions q join agent_sessions s on s.id = q.session_id
  where q.office_id = p_office and q.status = 'open' and q.expires_at > now()
  union all
  select 1, 'evidence', e.id, x.session_id, null, x.client_id, j.role, e.condition ->> 'person', j.name,
         jsonb_build_object('job_id', j.id, 'plan_id', j.plan_id), e.asked_at
  from job_evidence e join jobs j on j.id = e.job_id join executions x on x.id = e.execution_id
  where e.office_id = p_office and e.status = 'open' and e.kind = 'person' and e.asked_at is not null
  union all
  select 2, 'blocked', j.id, coalesce(l.session_id, x.session_id), null, x.client_id, j.role, j.name, j.error,
         jsonb_build_object('plan_id', j.plan_id, 'answers', j.failure_kind = 'asked' and l.session_id is not null and not l.closing), coalesce(x.finished_at, j.created_at)
  from jobs j left join plan_lanes l on l.id = j.lane_id left join executions x on x.id = j.execution_id
  where j.office_id = p_office and j.status = 'blocked' and j.failure_kind is distinct from 'cap'
  union all
  select 2, 'review', t.id, null, null, t.client_id, t.planning_role, t.title, null,
         jsonb_build_object('name', t.name, 'version', t.version), t.updated_at
  from spec_tasks t where t.office_id = p_office and t.status = 'review'
  union all
  select 3, 'spec_failed', t.id, null, null, t.client_id, null, t.title, t.problem, jsonb_build_object('name', t.name), t.updated_at
  from spec_tasks t where t.office_id = p_office and t.status = 'failed'
  union all
  select 3, 'cap', b.id, null, null, null, null, b.said ->> 'words', null,
         b.said - 'words' || jsonb_build_object('plan_id', case b.scope when 'plan' then b.name when 'job' then (select plan_id::text from jobs where id::text = b.name) end),
         case b.period when 'day' then greatest(b.set_at, date_trunc('day', now() at time zone 'utc') at time zone 'utc') else b.set_at end
  from (select b.*, semo.budget_state(b) as said from budgets b where b.office_id = p_office) b
  where (b.said ->> 'reached')::boolean
  union all
  select 4, 'pull_' || case p.state when 'conflict' then 'conflict' else 'failed' end, p.id, p.session_id, null, p.client_id, p.role, p.title,
         case p.state when 'conflict' then (select string_agg(f, ', ') from (select f from jsonb_array_elements_text(p.files) f limit 10) x) else p.problem end,
         jsonb_build_object('branch', p.branch, 'base', p.base, 'url', p.url), p.updated_at
  from pull_requests p where p.office_id = p_office and p.state in ('conflict', 'failed')
  union all
  select 5, 'conflict', b.id, coalesce(b.first_session, b.second_session), null, b.client_id, null, b.first_branch || ' ↔ ' || b.second_branch,
         (select string_agg(f, ', ') from (select f from jsonb_array_elements_text(b.files) f limit 10) x), jsonb_build_object('files', b.files_total), b.changed_at
  from branch_conflicts b where b.office_id = p_office and b.cleared_at is null
$$;

-- What waits for a person, the most urgent first: [{"kind","subject","session_id"?,"command_id"?,"client_id"?,"role"?,"title","detail","action"?,"at"}].
--   approval              an agent asks leave for exactly `action`
--   permission, question  a session stands and asks                     lost, failed, expired  commands of the last day that came to nothing
--   error                 a session broke                                circuit                no session of a role can be made on a machine
--   offline               a machine vanished without signing off          and what semo.attention_of_work tells
create function semo.attention(p_office uuid)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  with found as (
    select 0 as urgency, 'approval' as kind, a.id as subject, a.session_id, a.command_id, a.client_id, s.role, a.tool as title, a.cwd as detail,
           jsonb_build_object('input', a.input, 'digest', a.digest, 'redacted', a.redacted, 'expires_at', a.expires_at) as action, a.created_at as at
    from approvals a join agent_sessions s on s.id = a.session_id
    where a.office_id = p_office and a.status = 'pending' and a.expires_at > now()
    union all
    select case s.status when 'needs_permission' then 1 when 'waiting_input' then 2 else 3 end as urgency,
           case s.status when 'needs_permission' then 'permission' when 'waiting_input' then 'question' else 'error' end as kind,
           s.id as subject, s.id as session_id, s.acquired_by as command_id, s.client_id, s.role, s.task as title, null::text as detail,
           null::jsonb as action, s.last_activity_at as at
    from agent_sessions s
    where s.office_id = p_office and s.ended_at is null and s.status in ('needs_permission', 'waiting_input', 'error')
      and not exists (select 1 from approvals a where a.session_id = s.id and a.status = 'pending' and a.expires_at > now())
      and not exists (select 1 from questions q where q.session_id = s.id and q.status = 'open' and q.expires_at > now())
      and not (s.status = 'waiting_input' and exists (
        select 1 from jobs j left join plan_lanes l on l.id = j.lane_id left join executions x on x.id = j.execution_id
        where j.office_id = p_office and j.status = 'blocked' and j.failure_kind = 'asked' and s.id in (l.session_id, x.session_id)))
    union all
    select 4, c.status::text, c.id, c.session_id, c.id, c.claimed_by, coalesce(c.payload ->> 'role', s.role),
           left(coalesce(c.payload ->> 'text', c.command_type::text), 300), r.error, null, coalesce(c.finished_at, c.created_at)
    from agent_commands c
    left join agent_sessions s on s.id = c.session_id
    left join agent_command_results r on r.command_id = c.id and r.attempt = c.attempt
    where c.office_id = p_office and c.status in ('failed', 'lost', 'expired') and c.command_type in ('send_prompt', 'create_session')
      and c.created_at > now() - interval '1 day'
      and coalesce(r.error_code, '') not in ('turn_interrupted', 'cancelled')
      and not (coalesce(r.error_code, '') in ('turn_waiting_input', 'turn_needs_permission') and s.status in ('needs_permission', 'waiting_input'))
    union all
    select 5, 'circuit', k.client_id, null, null, k.client_id, k.role, null, k.error, null, k.opened_at
    from role_circuits k where k.office_id = p_office
    union all
    select 6, 'offline', c.id, null, null, c.id, null, c.name, null, null, c.last_seen_at
    from client_offices o join remote_clients c on c.id = o.client_id
    where o.office_id = p_office and c.revoked_at is null and c.signed_off_at is null and not semo.is_online(c)
      and c.last_seen_at > now() - interval '1 day'
    union all
    select * from semo.attention_of_work(p_office))
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
           'kind', f.kind, 'subject', f.subject, 'session_id', f.session_id, 'command_id', f.command_id, 'client_id', f.client_id,
           'role', f.role, 'title', f.title, 'detail', f.detail, 'action', f.action, 'at', f.at)) order by f.urgency, f.at desc), '[]')
  from (select * from found f
        where not exists (select 1 from attention_dismissed d
                          where d.office_id = p_office and d.kind = f.kind and d.subject = f.subject and d.at >= f.at)
        order by f.urgency, f.at desc limit 100) f
$$;

-- A session with its machine, its last turn, the tool that its agent uses now, and what it has cost.
create function semo.session_seen(p_session agent_sessions)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select jsonb_build_object(
           'id', p_session.id, 'client_id', p_session.client_id, 'machine', m.name, 'role', p_session.role, 'agent', p_session.agent, 'model', p_session.model, 'pool', p_session.pool,
           'status', p_session.status, 'acquired_by', p_session.acquired_by, 'held_since', p_session.held_since, 'task', p_session.task, 'branch', p_session.branch,
           'cols', p_session.cols, 'rows', p_session.rows, 'output_bytes', p_session.output_bytes, 'created_at', p_session.created_at,
           'last_activity_at', p_session.last_activity_at, 'ended_at', p_session.ended_at, 'end_reason', p_session.end_reason,
           'prompt', left(p.payload ->> 'text', 400), 'author', p.author, 'command_id', t.command_id,
           'turn', case when t.id is not null then jsonb_build_object(
             'id', t.id, 'started_at', t.started_at, 'ended_at', t.ended_at, 'outcome', t.outcome, 'marker', t.marker, 'evidence', t.evidence,
             'commits', t.commits, 'duration_s', t.duration_s) end,
           'tool', case when x.kind = 'tool.began' and t.ended_at is null and x.at >= t.started_at then x.detail || jsonb_build_object('at', x.at) end,
           'turns', u.turns, 'cost_usd', u.cost_usd)
  from remote_clients m
  left join lateral (select * from session_turns t where t.session_id = p_session.id order by t.started_at desc limit 1) t on true
  left join lateral (select count(*) as turns, sum(cost_usd) as cost_usd from session_turns t where t.session_id = p_session.id) u on true
  left join lateral (
    select * from session_events e where e.session_id = p_session.id and e.kind in ('tool.began', 'tool.ended') order by e.id desc limit 1) x on true
  left join agent_commands p on p.id = t.command_id
  where m.id = p_session.client_id
$$;

-- One session, however long ago it ended; null when the office has none of that id.
create function session_picture(p_office uuid, p_session uuid)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select semo.session_seen(s) from agent_sessions s where s.id = p_session and s.office_id = p_office
$$;

-- An office at a glance: the sessions that live and those that ended within the hour, each with its last turn and what it has cost; the machines;
-- what waits for a person; how many commands wait.
create function office_picture(p_office uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_office offices;
begin
  select * into v_office from offices where id = p_office;
  if v_office.id is null then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  return jsonb_build_object(
    'at', now(), 'name', v_office.name, 'session_limit', v_office.session_limit, 'places_taken', semo.places_taken_in_office(p_office),
    'sessions', (
      select coalesce(jsonb_agg(semo.session_seen(s) order by s.created_at, s.id), '[]')
      from agent_sessions s where s.office_id = p_office and (s.ended_at is null or s.ended_at > now() - interval '1 hour')),
    'machines', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', c.id, 'name', c.name, 'online', semo.is_online(c), 'last_seen_at', c.last_seen_at, 'capacity', c.capacity,
               'connection', case when semo.is_online(c) then coalesce(c.connection, 'polling') else 'offline' end,
               'connection_since', case when semo.is_online(c) then coalesce(c.connection_since, c.registered_at)
                                        else coalesce(c.signed_off_at, c.last_seen_at) end,
               'signed_off', c.signed_off_at is not null, 'draining_since', c.draining_since, 'paused_since', c.paused_since,
               'version', c.version, 'capabilities', c.capabilities,
               'policy', c.policy, 'memory', c.memory, 'repository', o.repository,
               'places_taken', semo.places_taken(c.id), 'holding_back', case when semo.is_online(c) then c.holding_back end)
               order by c.name, c.id), '[]')
      from client_offices o join remote_clients c on c.id = o.client_id where o.office_id = p_office and c.revoked_at is null),
    'attention', semo.attention(p_office),
    'pending', (select count(*) from agent_commands c where c.office_id = p_office and c.status = 'pending'));
end $$;

-- The output that follows, for many sessions of an office at once. p_after: {session_id: offset}; an offset of -1 stands for the last p_tail bytes.
create function output_after(p_office uuid, p_after jsonb, p_tail integer default 16384, p_chunks integer default 40)
returns table (session_id uuid, start_offset bigint, end_offset bigint, text text)
language sql stable security definer set search_path = public, pg_temp as $$
  select o.session_id, o.start_offset, o.end_offset, o.text
  from jsonb_each_text(p_after) a
  join agent_sessions s on s.id = a.key::uuid and s.office_id = p_office
  cross join lateral (select case when a.value::bigint < 0 then greatest(s.output_bytes - p_tail, 0) else a.value::bigint end as place) f
  cross join lateral (
    select * from session_output c
    where c.session_id = s.id and c.end_offset > f.place
      and c.start_offset >= f.place - 1048576  -- no chunk is longer: the index leads to the place instead of reading all that went before
    order by c.start_offset limit p_chunks) o
  order by o.session_id, o.start_offset
$$;

-- Has a text typed into a session for whoever looks at it, who is looked up anew with it: "token:ID" or "user:ID", as the cookie of the pages
-- names people. False when they may not; whoever asks goes the way of the API then, which says why.
create function type_into_session(p_person text, p_office uuid, p_session uuid, p_text text)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_id uuid := split_part(p_person, ':', 2)::uuid;
begin
  insert into agent_commands (office_id, session_id, command_type, payload, author)
  select p_office, p_session, 'send_text', jsonb_build_object('text', p_text), w.author
  from (select 'token:' || t.name as author, t.role from api_tokens t
        where p_person like 'token:%' and t.id = v_id and p_office = coalesce(t.office_id, p_office)
          and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
        union all
        select 'user:' || m.user_id, m.role from office_members m where p_person like 'user:%' and m.user_id = v_id and m.office_id = p_office) w
  where w.role >= 'operator';
  return found;
end $$;

revoke execute on function redeem_sign_in_code, type_into_session, office_picture, session_picture, output_after, semo.attention, semo.attention_of_work, semo.session_seen from public, anon, authenticated;
grant execute on function redeem_sign_in_code, type_into_session, office_picture, session_picture, output_after to service_role;
