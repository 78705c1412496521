-- Pull requests: branches of agents on their way to others. The machine that has the branch pushes, opens, looks and merges;
-- what its commands come to moves the rows here.

create type pull_request_state as enum (
  'publishing',  -- its branch is being pushed                             → pushed, open, merged, closed, failed
  'failed',      -- it could not be published; `problem` says why          → publishing
  'pushed',      -- the branch is on the remote, and nobody here can open a pull request for it → publishing, open, merging, merged, closed
  'open',        -- as the remote's host says                              → publishing, merging, merged, closed
  'merging',     -- being merged                                           → merged, conflict, open, pushed
  'conflict',    -- `files` conflict with its base; nothing was changed    → publishing, merging, open, merged, closed
  'closed',      -- not merged, by somebody's decision                     → publishing, open
  'merged'       -- all of it is in its base                               final
);

create table pull_requests (
  id              uuid primary key default gen_random_uuid(),
  seq             bigint generated always as identity unique,
  office_id       uuid not null references offices on delete cascade,
  client_id       uuid not null references remote_clients on delete cascade,  -- the machine that has the branch
  session_id      uuid references agent_sessions on delete set null,
  job_id          uuid references jobs on delete set null,                    -- whose work it is
  role            text not null,
  branch          text not null,
  base            text,                                                       -- null until the machine said what it goes into
  title           text not null check (title ~ '\S' and length(title) <= 200),
  body            text not null default '' check (octet_length(body) <= 65000),
  labels          jsonb not null default '[]' check (jsonb_typeof(labels) = 'array'),
  state           pull_request_state not null default 'publishing',
  number          integer,
  url             text,
  head            text,
  checks          text check (checks in ('none', 'pending', 'passing', 'failing')),  -- those of the remote's host
  changed         jsonb not null default '[]',                                -- files
  files           jsonb not null default '[]',                                -- that conflict
  missing         text,                                                       -- what would take it further, in words
  problem         text,                                                       -- what went wrong last
  notes           jsonb not null default '[]',
  method          text not null default 'merge' check (method in ('merge', 'squash', 'rebase')),
  keep_worktree   boolean not null default false,
  worktree        text,                                                       -- after the merge: removed, or why it was kept
  merge_wanted_at timestamptz,                                                -- somebody asked for the merge
  merge_wanted_by text,
  command_id      uuid references agent_commands on delete set null,          -- the latest of its commands
  looked_at       timestamptz,
  author          text,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  merged_at       timestamptz
);
create unique index pull_requests_branch on pull_requests (client_id, office_id, branch) where state not in ('merged', 'closed');
create index pull_requests_office  on pull_requests (office_id, seq desc);
create index pull_requests_command on pull_requests (command_id);
create index pull_requests_wanted  on pull_requests (office_id) where merge_wanted_at is not null and state <> 'merged';
create index pull_requests_followed on pull_requests (looked_at) where state in ('open', 'pushed', 'conflict');

-- What must be merged before.
create table pull_request_order (
  pull_request_id uuid not null references pull_requests on delete cascade,
  after_id        uuid not null references pull_requests on delete cascade,
  primary key (pull_request_id, after_id)
);
create index pull_request_order_after on pull_request_order (after_id);

-- One at a time moves pull requests of an office. After a command's lock, never before one.
create function semo.lock_pull_requests(p_office uuid)
returns void language sql as $$
  select pg_advisory_xact_lock(hashtext('semo.pull_requests'), hashtext(p_office::text))
$$;

create function semo.tell_of_pull_request(p_row pull_requests, p_what text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.tell(p_row.office_id, 'pull_request.' || p_what, jsonb_build_object('pull_request_id', p_row.id, 'branch', p_row.branch,
    'state', p_row.state, 'number', p_row.number, 'url', p_row.url, 'checks', p_row.checks, 'problem', p_row.problem,
    'files', case when p_row.files <> '[]' then p_row.files end), p_row.session_id, p_row.command_id);
  if p_row.job_id is not null then
    perform semo.wake_schedulers(p_row.office_id);  -- a job may wait for it
  end if;
end $$;

-- What a pull request still waits for: those that must be merged before it, directly or not.
create function semo.pull_requests_before(p_row uuid)
returns setof pull_requests language sql stable set search_path = public, pg_temp as $$
  with recursive before as (
    select o.after_id from pull_request_order o where o.pull_request_id = p_row
    union
    select o.after_id from before b join pull_request_order o on o.pull_request_id = b.after_id)
  select p.* from before b join pull_requests p on p.id = b.after_id where p.state <> 'merged'
$$;

create function semo.shown_pull_request(p_row pull_requests)
returns jsonb language sql stable set search_path = public, pg_temp as $$
  select to_jsonb(p_row) - 'seq' || jsonb_build_object(
    'after', (select coalesce(jsonb_agg(o.after_id order by o.after_id), '[]') from pull_request_order o where o.pull_request_id = p_row.id),
    'waits_for', (select coalesce(jsonb_agg(jsonb_build_object('id', b.id, 'branch', b.branch, 'state', b.state) order by b.seq), '[]')
                  from semo.pull_requests_before(p_row.id) b))
$$;

-- Draws: (insert) → publishing; failed, pushed, open, conflict, closed → publishing, of the branch's own row. For a session's branch, or for
-- a branch that a machine has. p_after: pull requests to be merged before it; those of the jobs that p_job depends on are, too. Asking again publishes again and opens no second one.
create function open_pull_request(p_office uuid, p_author text, p_session uuid default null, p_client uuid default null, p_branch text default null,
                                  p_base text default null, p_title text default null, p_body text default null, p_labels jsonb default null,
                                  p_after uuid[] default '{}', p_job uuid default null)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session agent_sessions;
  v_row pull_requests;
  v_unknown uuid;
  v_title text;
  v_body text := p_body;
begin
  if p_session is not null then
    select * into v_session from agent_sessions where id = p_session and office_id = p_office;
    if v_session.id is null then
      perform semo.refuse('SO003', format('there is no session %s in office %s', p_session, p_office), 'GET …/sessions lists its sessions');
    elsif v_session.branch is null then
      perform semo.refuse('SO002', format('session %s has no branch yet', p_session), 'wait until it is ready');
    end if;
  else
    if p_client is null or p_branch is null then
      perform semo.refuse('SO004', 'a pull request needs a session_id, or a client_id and a branch', 'GET …/sessions shows them for each session');
    elsif not exists (select 1 from client_offices where client_id = p_client and office_id = p_office) then
      perform semo.refuse('SO003', format('there is no client %s in office %s', p_client, p_office), 'GET …/clients lists its machines');
    end if;
    select * into v_session from agent_sessions
    where client_id = p_client and office_id = p_office and branch = p_branch order by created_at desc limit 1;
    v_session.client_id := p_client;
    v_session.branch := p_branch;
    v_session.role := coalesce(v_session.role, substring(p_branch from '^agent/([^-]+)-'));
    if v_session.role is null then
      perform semo.refuse('SO004', format('"%s" is not a branch of an agent', p_branch), 'theirs are called agent/ROLE-TASK');
    end if;
  end if;
  select a into v_unknown from unnest(p_after) as a where not exists (select 1 from pull_requests where id = a and office_id = p_office) limit 1;
  if v_unknown is not null then
    perform semo.refuse('SO003', format('there is no pull request %s in office %s', v_unknown, p_office), 'GET …/pull-requests lists them');
  end if;

  perform semo.lock_pull_requests(p_office);
  select * into v_row from pull_requests
  where client_id = v_session.client_id and office_id = p_office and branch = v_session.branch and state not in ('merged', 'closed') for update;
  if v_row.state in ('publishing', 'merging') then
    return semo.shown_pull_request(v_row);
  end if;
  v_title := coalesce(p_title, v_row.title, regexp_replace(v_session.branch, '^agent/[^-]+-', ''));
  if v_title !~ '^\[' then
    v_title := left(format('[%s] %s', v_session.role, v_title), 200);
  end if;
  if v_row.id is null then
    select coalesce(p_body, format(E'%s of the plan %s\n\n%s', j.name, p.name, left(j.prompt, 10000))) into v_body
    from jobs j join plans p on p.id = j.plan_id where j.id = p_job;
    insert into pull_requests (office_id, client_id, session_id, job_id, role, branch, base, title, body, labels, author)
    values (p_office, v_session.client_id, v_session.id, p_job, v_session.role, v_session.branch, p_base, v_title, coalesce(v_body, p_body, ''),
            coalesce(p_labels, jsonb_build_array('semo', lower(v_session.role))), p_author)
    returning * into v_row;
  else
    update pull_requests set state = 'publishing', title = v_title, body = coalesce(p_body, body), labels = coalesce(p_labels, labels),
           base = coalesce(p_base, base), session_id = coalesce(v_session.id, session_id), problem = null, files = '[]', updated_at = now()
    where id = v_row.id returning * into v_row;
  end if;
  insert into pull_request_order (pull_request_id, after_id)
  select v_row.id, a from unnest(p_after || semo.pull_requests_of_jobs_before(p_job)) as a where a <> v_row.id on conflict do nothing;
  if exists (select 1 from semo.pull_requests_before(v_row.id) b where b.id = v_row.id) then
    perform semo.refuse('SO004', format('%s would have to be merged before itself', v_row.branch), 'leave out one of "after"');
  end if;
  update pull_requests set command_id = semo.ask_of_branch(v_row, 'publish_branch', jsonb_build_object(
    'title', v_row.title, 'body', nullif(v_row.body, ''), 'labels', v_row.labels)) where id = v_row.id returning * into v_row;
  return semo.shown_pull_request(v_row);
end $$;

-- The pull requests of the jobs that a job depends on, directly or not.
create function semo.pull_requests_of_jobs_before(p_job uuid)
returns uuid[] language sql stable set search_path = public, pg_temp as $$
  with recursive before as (
    select d.depends_on_id from job_dependencies d where d.job_id = p_job
    union
    select d.depends_on_id from before b join job_dependencies d on d.job_id = b.depends_on_id)
  select coalesce(array_agg(p.id), '{}') from before b join pull_requests p on p.job_id = b.depends_on_id
$$;

-- Stores a command about the branch of a pull request.
create function semo.ask_of_branch(p_row pull_requests, p_type command_type, p_more jsonb default '{}')
returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command uuid;
begin
  insert into agent_commands (office_id, client_id, command_type, payload, author)
  values (p_row.office_id, p_row.client_id, p_type,
          jsonb_strip_nulls(jsonb_build_object('branch', p_row.branch, 'base', p_row.base) || p_more), 'pull_request:' || p_row.id)
  returning id into v_command;
  return v_command;
end $$;

-- Asks for a merge, which begins when everything that comes before it is merged. Asking again changes nothing but how.
create function merge_pull_request(p_office uuid, p_pull_request uuid, p_author text, p_method text default 'merge', p_keep_worktree boolean default false)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
begin
  perform semo.lock_pull_requests(p_office);
  select * into v_row from pull_requests where id = p_pull_request and office_id = p_office for update;
  if v_row.id is null then
    perform semo.refuse('SO003', format('there is no pull request %s in office %s', p_pull_request, p_office), 'GET …/pull-requests lists them');
  elsif p_method not in ('merge', 'squash', 'rebase') then
    perform semo.refuse('SO004', 'method must be merge, squash or rebase', 'leave it out for merge');
  elsif v_row.state = 'merged' then
    return semo.shown_pull_request(v_row);
  elsif v_row.state in ('closed', 'failed') then
    perform semo.refuse('SO002', format('the pull request of %s is %s and cannot be merged', v_row.branch, v_row.state), 'open it again first');
  end if;
  update pull_requests set merge_wanted_at = coalesce(merge_wanted_at, now()), merge_wanted_by = p_author, method = p_method,
         keep_worktree = p_keep_worktree, updated_at = now() where id = v_row.id;
  perform semo.start_merges(p_office);
  select * into v_row from pull_requests where id = v_row.id;
  return semo.shown_pull_request(v_row);
end $$;

-- Draws: open, pushed, conflict → merging: of those whose merge is wanted and that wait for nothing, one at a time for each machine.
create function semo.start_merges(p_office uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
begin
  for v_row in
    select distinct on (p.client_id) p.* from pull_requests p
    where p.office_id = p_office and p.merge_wanted_at is not null and p.state in ('open', 'pushed', 'conflict')
      and not exists (select 1 from semo.pull_requests_before(p.id))
      and not exists (select 1 from pull_requests m where m.client_id = p.client_id and m.office_id = p_office and m.state = 'merging')
    order by p.client_id, p.merge_wanted_at, p.seq
  loop
    update pull_requests set state = 'merging', problem = null, files = '[]', updated_at = now(),
           command_id = semo.ask_of_branch(v_row, 'merge_branch', jsonb_build_object('method', v_row.method, 'keep_worktree', v_row.keep_worktree))
    where id = v_row.id returning * into v_row;
    perform semo.tell_of_pull_request(v_row, 'merging');
  end loop;
end $$;

-- A command about a branch is over: the row moves as its enum says.
create function semo.take_in_pull_request() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
  v_before pull_requests;
  v_result agent_command_results;
  v_told jsonb;
  v_state text;
begin
  perform semo.lock_pull_requests(new.office_id);
  select * into v_before from pull_requests where command_id = new.id for update;
  if v_before.id is null then
    return null;
  end if;
  select * into v_result from agent_command_results where command_id = new.id and attempt = new.attempt;
  v_told := coalesce(v_result.result, '{}');
  v_row := v_before;
  v_row.looked_at := now();
  if coalesce(v_result.success, false) then
    v_state := case when v_told ->> 'state' in ('pushed', 'open', 'merged', 'closed') then v_told ->> 'state' else 'pushed' end;
    v_row.number := case when jsonb_typeof(v_told -> 'number') = 'number' then (v_told ->> 'number')::integer else v_row.number end;
    v_row.url := coalesce(v_told ->> 'url', v_row.url);
    v_row.base := coalesce(v_told ->> 'base', v_row.base);
    v_row.head := coalesce(v_told ->> 'head', v_row.head);
    v_row.checks := case when v_told ->> 'checks' in ('none', 'pending', 'passing', 'failing') then v_told ->> 'checks' else v_row.checks end;
    v_row.missing := v_told ->> 'missing';
    v_row.problem := case when new.command_type = 'follow_pull_request' then v_row.problem end;
    -- What is only looked at stays in conflict until it is published or merged.
    v_row.state := case when v_before.state = 'conflict' and v_state in ('open', 'pushed') then 'conflict' else v_state end;
    v_row.files := case when v_row.state = 'conflict' then v_row.files else '[]' end;
    if new.command_type = 'publish_branch' then
      v_row.changed := coalesce(v_told -> 'changed', '[]');
      v_row.notes := coalesce(v_told -> 'notes', '[]');
    elsif new.command_type = 'merge_branch' then
      v_row.worktree := coalesce(v_told ->> 'kept_because', v_told ->> 'worktree');
      v_row.merge_wanted_at := null;  -- merged, or its host merges it by itself
    end if;
  elsif new.command_type <> 'follow_pull_request' then
    v_row.problem := coalesce(v_result.error, format('its command is %s', new.status));
    v_row.files := coalesce(v_told -> 'files', '[]');
    v_row.state := case when new.command_type = 'publish_branch' then 'failed'
                        when v_row.files <> '[]' then 'conflict'
                        when v_row.number is not null then 'open' else 'pushed' end;
    v_row.merge_wanted_at := null;
  end if;
  v_row.merged_at := case when v_row.state = 'merged' then coalesce(v_row.merged_at, now()) end;
  update pull_requests set state = v_row.state, number = v_row.number, url = v_row.url, base = v_row.base, head = v_row.head, checks = v_row.checks,
         changed = v_row.changed, files = v_row.files, missing = v_row.missing, problem = v_row.problem, notes = v_row.notes,
         worktree = v_row.worktree, merge_wanted_at = v_row.merge_wanted_at, looked_at = v_row.looked_at, merged_at = v_row.merged_at,
         updated_at = case when v_row.state <> v_before.state or v_row.checks is distinct from v_before.checks then now() else updated_at end
  where id = v_before.id;
  if v_row.state <> v_before.state then
    perform semo.tell_of_pull_request(v_row, v_row.state::text);
  elsif v_row.checks is distinct from v_before.checks then
    perform semo.tell_of_pull_request(v_row, 'checks');
  end if;
  perform semo.start_merges(new.office_id);
  return null;
end $$;
create trigger take_in_pull_request after update of status on agent_commands for each row
  when (new.command_type in ('publish_branch', 'follow_pull_request', 'merge_branch')
        and new.status in ('completed', 'failed', 'lost', 'expired', 'cancelled') and new.status is distinct from old.status)
  execute function semo.take_in_pull_request();

-- Has machines that are online look how theirs stand: the open ones every minute, those that are only pushed every five.
create function follow_pull_requests()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
  v_count integer := 0;
begin
  for v_row in
    select p.* from pull_requests p join remote_clients c on c.id = p.client_id
    where p.state in ('open', 'pushed', 'conflict') and semo.is_online(c)
      and p.looked_at < now() - case p.state when 'pushed' then interval '5 minutes' else interval '1 minute' end
    order by p.looked_at limit 100 for update of p skip locked
  loop
    update pull_requests set looked_at = now(), command_id = semo.ask_of_branch(v_row, 'follow_pull_request') where id = v_row.id;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- Newest first. p_states: only these; empty: all.
create function office_pull_requests(p_office uuid, p_states text[] default '{}', p_limit integer default 100)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if not exists (select 1 from offices where id = p_office) or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office), 'GET /api/offices lists those that you may see');
  end if;
  return (select coalesce(jsonb_agg(semo.shown_pull_request(p) order by p.seq desc), '[]') from (
    select * from pull_requests where office_id = p_office and (p_states = '{}' or state::text = any (p_states)) order by seq desc limit p_limit) p);
end $$;

create function get_pull_request(p_office uuid, p_pull_request uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
begin
  select * into v_row from pull_requests where id = p_pull_request and office_id = p_office;
  if v_row.id is null or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no pull request %s in office %s', p_pull_request, p_office), 'GET …/pull-requests lists them');
  end if;
  return semo.shown_pull_request(v_row);
end $$;

alter table pull_requests      enable row level security;
alter table pull_request_order enable row level security;
revoke all on pull_requests, pull_request_order from anon, authenticated, service_role;
revoke all on sequence pull_requests_seq_seq from anon, authenticated, service_role;
grant select on pull_requests, pull_request_order to authenticated, service_role;
create policy "members see the pull requests" on pull_requests for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see their order" on pull_request_order for select to authenticated using (
  exists (select 1 from pull_requests p where p.id = pull_request_id and semo.has_role(p.office_id, 'viewer')));

revoke execute on function semo.lock_pull_requests, semo.tell_of_pull_request, semo.pull_requests_before, semo.pull_requests_of_jobs_before, semo.shown_pull_request, semo.ask_of_branch,
  semo.start_merges, semo.take_in_pull_request from public;
revoke execute on function open_pull_request, merge_pull_request, follow_pull_requests from public, anon, authenticated;
revoke execute on function office_pull_requests, get_pull_request from public, anon;
grant execute on function open_pull_request, merge_pull_request, follow_pull_requests to service_role;
grant execute on function office_pull_requests, get_pull_request to authenticated, service_role;
