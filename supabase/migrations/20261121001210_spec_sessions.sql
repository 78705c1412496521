-- Work sessions of spec tasks: how they begin, end, are merged, tried again and added; and how a task ends with them.

-- Of a work session that waits: which others it waits for; null when it may begin.
create function semo.spec_waits_for(p_session spec_sessions)
returns text language sql stable set search_path = public, pg_temp as $$
  select string_agg(format('%s (%s)', coalesce(o.label, d.label), coalesce(o.status::text, 'missing')), ', ' order by d.n)
  from unnest(p_session.depends_on) with ordinality as d(label, n)
  left join spec_sessions o on o.spec_task_id = p_session.spec_task_id and o.label = d.label
  where o.status is distinct from 'done'
$$;

-- A work session for one of the server's writes, its task locked before it; SO002 unless it is in one of these states at this try.
create function semo.spec_session_for(p_session uuid, p_try integer, p_states spec_session_status[])
returns spec_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions;
begin
  perform semo.spec_task_for((select spec_task_id from spec_sessions where id = p_session));
  select * into v_session from spec_sessions where id = p_session for no key update;
  if v_session.id is null then
    perform semo.refuse('SO003', format('there is no work session %s', p_session));
  elsif v_session.tries <> p_try or v_session.status <> all (p_states) then
    perform semo.refuse('SO002', format('work session %s is %s, try %s', v_session.label, v_session.status, v_session.tries));
  end if;
  return v_session;
end $$;

-- Draws, of spec_sessions: waiting → running. Puts its job into the task's plan, in a lane, and so a worktree, of its own; all jobs of a
-- task are done on the machine that has its branch. p_words: whose words the prompt is made of, for the history. Returns the job.
create function spec_session_started(p_session uuid, p_try integer, p_prompt text, p_words text default null)
returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions := semo.spec_session_for(p_session, p_try, '{waiting}');
  v_task spec_tasks;
  v_lane text := case when v_session.kind = 'planning' then 'planning' else v_session.label end;
  v_jobs uuid[];
begin
  if semo.spec_waits_for(v_session) is not null then
    perform semo.refuse('SO002', format('work session %s waits for %s', v_session.label, semo.spec_waits_for(v_session)));
  end if;
  select * into v_task from spec_tasks where id = v_session.spec_task_id;
  if not exists (select 1 from plans where id = v_task.plan_id and status <> 'cancelled') then  -- none yet, or everything was stopped
    update spec_tasks set plan_id = create_plan(v_task.office_id, jsonb_build_object('name', 'spec ' || v_task.name, 'kind', 'spec', 'keep_open', true,
      'on_failure', 'continue', 'options', jsonb_build_object('spec_task_id', v_task.id)), v_task.author)
    where id = v_task.id returning * into v_task;
  end if;
  v_jobs := add_jobs(v_task.plan_id,
    jsonb_build_array(jsonb_build_object('name', v_session.label || case when p_try > 1 then ' try ' || p_try else '' end, 'lane', v_lane,
      'prompt', p_prompt, 'timeout_s', v_task.session_seconds,
      'detail', jsonb_build_object('spec_task_id', v_task.id, 'spec_session_id', p_session, 'try', p_try))),
    case when exists (select 1 from plan_lanes where plan_id = v_task.plan_id and name = v_lane) then '[]' else
      jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('name', v_lane, 'role', v_session.role, 'task', v_session.worktree_task, 'agent', v_task.agent,
        'model', v_task.model, 'mcp', v_task.mcp, 'on_failure', 'continue',
        'base', case when v_session.kind = 'planning' then v_task.base else 'spec/' || v_task.name end))) end);
  update plan_lanes set client_id = coalesce(v_task.client_id, client_id) where plan_id = v_task.plan_id and name = v_lane;
  update spec_sessions set status = 'running', job_id = v_jobs[1], started_at = coalesce(started_at, now()), problem = null where id = p_session;
  perform semo.spec_event(v_session.spec_task_id, 'session_started', 'office', p_session,
    jsonb_build_object('try', p_try, 'role', v_session.role, 'job_id', v_jobs[1], 'prompt', p_words));
  return v_jobs[1];
end $$;

-- The running work session that a terminal session works for; null when it works for none.
create function semo.spec_session_in(p_session uuid)
returns spec_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions;
begin
  select w.* into v_session from plan_lanes l join jobs j on j.lane_id = l.id join spec_sessions w on w.job_id = j.id
  where l.session_id = p_session and w.status = 'running' order by w.started_at desc limit 1;
  if v_session.id is not null and v_session.session_id is distinct from p_session then
    update spec_sessions set session_id = p_session where id = v_session.id returning * into v_session;
  end if;
  return v_session;
end $$;

-- Wakes whoever keeps spec tasks: a job of one has ended.
create function semo.hint_of_spec_job() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.hint(new.office_id, 'events', 'spec', jsonb_build_object('spec_task_id', new.detail ->> 'spec_task_id'));
  return null;
end $$;
create trigger hint_of_spec_job after update of status on jobs
  for each row when (new.detail ? 'spec_task_id' and new.status is distinct from old.status and not semo.is_open(new.status))
  execute function semo.hint_of_spec_job();

-- Draws, of spec_sessions: running → merging, running → failed: takes in what the jobs of a task have come to.
create function spec_take_in(p_task uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_one record;
begin
  perform semo.spec_task_for(p_task);
  for v_one in
    select w.id, w.tries, j.status, j.error, e.session_id, e.client_id, s.branch, e.result
    from spec_sessions w left join jobs j on j.id = w.job_id left join executions e on e.id = j.execution_id
    left join agent_sessions s on s.id = e.session_id
    where w.spec_task_id = p_task and w.status = 'running' order by w.id
  loop
    update spec_sessions set session_id = coalesce(v_one.session_id, session_id) where id = v_one.id;
    if v_one.status = 'done' and v_one.branch is not null then
      perform spec_session_worked(v_one.id, v_one.tries, v_one.client_id, v_one.branch, jsonb_build_object(
        'commits', v_one.result -> 'commits', 'duration_s', v_one.result -> 'duration_s', 'cost_usd', v_one.result -> 'cost_usd'));
    elsif v_one.status is null or not semo.is_open(v_one.status) then
      perform spec_session_failed(v_one.id, v_one.tries, coalesce(v_one.error, format('its job is %s', coalesce(v_one.status::text, 'gone'))));
    end if;
  end loop;
end $$;

-- Draws, of spec_sessions: running → merging. Where its work is: the machine and the branch.
create function spec_session_worked(p_session uuid, p_try integer, p_client uuid, p_branch text, p_facts jsonb default '{}')
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions := semo.spec_session_for(p_session, p_try, '{running}');
begin
  update spec_sessions set status = 'merging', branch = p_branch where id = p_session;
  update spec_tasks set client_id = coalesce(client_id, p_client) where id = v_session.spec_task_id;
  perform semo.spec_event(v_session.spec_task_id, 'session_worked', 'office', p_session, p_facts || jsonb_build_object('branch', p_branch));
end $$;

-- Draws, of spec_sessions: running → failed, merging → failed. The task fails when nothing else of it can go on.
create function spec_session_failed(p_session uuid, p_try integer, p_problem text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions := semo.spec_session_for(p_session, p_try, '{waiting,running,merging}');
begin
  update spec_sessions set status = 'failed', problem = left(p_problem, 4000), ended_at = now() where id = p_session;
  perform semo.spec_event(v_session.spec_task_id, 'session_failed', 'office', p_session, jsonb_build_object('problem', left(p_problem, 4000)));
  perform semo.settle_spec_task(v_session.spec_task_id);
end $$;

-- Draws, of spec_sessions: merging → done; with conflicts merging → waiting (try + 1, three at most), then merging → failed.
create function spec_session_merged(p_session uuid, p_try integer, p_commit text, p_conflicts text[] default '{}')
returns spec_session_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session spec_sessions := semo.spec_session_for(p_session, p_try, '{merging}');
begin
  if cardinality(p_conflicts) = 0 then
    update spec_sessions set status = 'done', commit = p_commit, conflicts = '{}', percent = 100, ended_at = now() where id = p_session;
    perform semo.spec_event(v_session.spec_task_id, 'merged', 'office', p_session, jsonb_build_object('commit', p_commit));
    perform semo.settle_spec_task(v_session.spec_task_id);
    return 'done';
  end if;
  perform semo.spec_event(v_session.spec_task_id, 'conflict', 'office', p_session, jsonb_build_object('files', p_conflicts));
  if v_session.tries >= 3 then
    perform spec_session_failed(p_session, p_try, 'its work still conflicts with that of others after three tries: ' || array_to_string(p_conflicts, ', '));
    return 'failed';
  end if;
  update spec_sessions set status = 'waiting', tries = tries + 1, conflicts = p_conflicts, job_id = null where id = p_session;
  return 'waiting';
end $$;

-- Draws: implementation → done, implementation → failed, planning → planning or failed (its one session failed). The caller holds the task.
create function semo.settle_spec_task(p_task uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks;
  v_failed text;
begin
  select * into v_task from spec_tasks where id = p_task for no key update;
  if v_task.status = 'planning' then
    select problem into v_failed from spec_sessions
    where spec_task_id = p_task and label = 'planning-' || v_task.round and status = 'failed';
    if v_failed is not null then
      perform semo.fail_spec_task(v_task, 'planning failed: ' || v_failed);
    end if;
  elsif v_task.status = 'implementation' then
    if not exists (select 1 from spec_sessions where spec_task_id = p_task and kind <> 'planning' and status <> 'done') then
      update spec_tasks set status = 'done', ended_at = now() where id = p_task;
      perform semo.spec_event(p_task, 'done', 'office');
      perform close_plan(v_task.plan_id);
    elsif not exists (select 1 from spec_sessions s where s.spec_task_id = p_task and s.status in ('running', 'merging')
                      or (s.spec_task_id = p_task and s.status = 'waiting' and semo.spec_waits_for(s) is null)) then
      select string_agg(format('%s: %s', label, problem), '; ' order by label) into v_failed from spec_sessions
      where spec_task_id = p_task and status = 'failed';
      perform semo.fail_spec_task(v_task, 'work sessions failed, and nothing else can go on: ' || coalesce(v_failed, 'the others wait for each other'));
    end if;
  end if;
end $$;

-- Draws: failed → planning, failed → implementation; of spec_sessions: failed → waiting (try + 1).
create function retry_spec_task(p_task uuid, p_author text default null)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if v_task.status <> 'failed' then
    perform semo.refuse('SO002', format('spec task "%s" is in %s; only one that failed is tried again', v_task.name, v_task.status));
  end if;
  perform semo.spec_event(p_task, 'retried', semo.spec_author(p_author));
  if v_task.approved_version is null then
    update spec_tasks set unread_in_a_row = 0 where id = p_task;
    perform semo.begin_planning(v_task, semo.spec_author(p_author));
  else
    update spec_sessions set status = 'waiting', tries = tries + 1, job_id = null, ended_at = null
    where spec_task_id = p_task and kind <> 'planning' and status = 'failed';
    update spec_tasks set status = 'implementation', problem = null where id = p_task;
  end if;
  select * into v_task from spec_tasks where id = p_task;
  return v_task;
end $$;

-- Draws: planning → failed, implementation → failed; of spec_sessions: running → failed, merging → failed. Everything in the office is
-- stopped, these too; what was approved stays so, and retry_spec_task goes on with it. To be called before jobs are locked.
create function semo.stop_spec_tasks(p_office uuid, p_author text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks;
  v_problem text := format('everything in the office was stopped by %s', p_author);
begin
  for v_task in
    select * from spec_tasks where office_id = p_office and status in ('planning', 'implementation') order by id for no key update
  loop
    update spec_sessions set status = 'failed', problem = v_problem, ended_at = now()
    where spec_task_id = v_task.id and status in ('running', 'merging');
    perform semo.fail_spec_task(v_task, v_problem);
  end loop;
end $$;

-- Draws: backlog, planning, review, implementation, failed → cancelled; of spec_sessions: waiting, running, merging → cancelled.
-- What runs is interrupted.
create function cancel_spec_task(p_task uuid, p_author text default null)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if v_task.status = 'cancelled' then
    return v_task;
  elsif v_task.status = 'done' then
    perform semo.refuse('SO002', format('spec task "%s" is done', v_task.name));
  end if;
  update spec_sessions set status = 'cancelled', ended_at = now() where spec_task_id = p_task and status in ('waiting', 'running', 'merging');
  update spec_tasks set status = 'cancelled', ended_at = now() where id = p_task;
  perform semo.spec_event(p_task, 'cancelled', semo.spec_author(p_author));
  if v_task.plan_id is not null then
    perform semo.withdraw_plan(v_task.plan_id);
  end if;
  select * into v_task from spec_tasks where id = p_task;
  return v_task;
end $$;

-- Adds a work session to a task, in the name of another one of it or of a person. Its label is s1, s2, …
create function semo.add_spec_session(p_task spec_tasks, p_parent spec_sessions, p_wish jsonb, p_author text)
returns spec_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_wish record;
  v_depth integer := case when p_parent.id is null then 0 else p_parent.depth + 1 end;
  v_unknown text;
  v_session spec_sessions;
begin
  select * into v_wish from jsonb_to_record(p_wish) as w(title text, prompt text, role text, depends_on text[]);
  if coalesce(v_wish.title, '') !~ '\S' or length(v_wish.title) > 300 then
    perform semo.refuse('SO004', '"title" must be a text of 1 to 300 characters');
  elsif octet_length(coalesce(v_wish.prompt, '')) > 32768 then
    perform semo.refuse('SO004', '"prompt" is longer than 32768 bytes');
  elsif p_task.status <> 'implementation' then
    perform semo.refuse('SO002', format('spec task "%s" is in %s; work sessions are added while it is in implementation', p_task.name, p_task.status));
  elsif p_parent.id is not null and p_task.spawned >= p_task.max_spawned then
    perform semo.refuse('SO005', format('agents may add %s work sessions to this task, and have', p_task.max_spawned), 'do it in this session, or ask a person');
  elsif v_depth > p_task.max_depth then
    perform semo.refuse('SO005', format('sessions that agents added may go %s deep, and this one is at %s', p_task.max_depth, v_depth - 1),
                        'do it in this session, or ask a person');
  end if;
  select d into v_unknown from unnest(coalesce(v_wish.depends_on, '{}')) as d
  where not exists (select 1 from spec_sessions where spec_task_id = p_task.id and label = d and kind <> 'planning') limit 1;
  if v_unknown is not null then
    perform semo.refuse('SO004', format('there is no work session "%s" in this task', v_unknown));
  elsif p_parent.label = any (v_wish.depends_on) and exists (select 1 from spec_sessions where id = p_parent.id and status = 'failed') then
    perform semo.refuse('SO004', 'it would wait for a session that failed');
  end if;
  update spec_tasks set spawned = spawned + 1 where id = p_task.id returning * into p_task;
  insert into spec_sessions (spec_task_id, kind, label, title, body, role, depends_on, parent_id, depth, worktree_task)
  values (p_task.id, 'spawned', 's' || p_task.spawned, v_wish.title, coalesce(v_wish.prompt, ''),
          semo.spec_role(p_task.office_id, coalesce(v_wish.role, p_parent.role, p_task.work_role)), coalesce(v_wish.depends_on, '{}'),
          p_parent.id, v_depth, p_task.name || '-s' || p_task.spawned)
  returning * into v_session;
  perform semo.spec_event(p_task.id, 'spawned', p_author, v_session.id,
    jsonb_build_object('label', v_session.label, 'title', v_session.title, 'role', v_session.role, 'parent', p_parent.label));
  return v_session;
end $$;

-- A person adds a work session.
create function add_spec_session(p_task uuid, p_wish jsonb, p_author text default null, p_key text default null, p_digest text default null)
returns spec_sessions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
  v_before jsonb := semo.made_before(v_task.office_id, 'session ' || p_task, p_key, p_digest);
  v_session spec_sessions;
begin
  if v_before is not null then
    select * into v_session from spec_sessions where id = (v_before #>> '{}')::uuid;
    return v_session;
  end if;
  v_session := semo.add_spec_session(v_task, null::spec_sessions, p_wish, semo.spec_author(p_author));
  perform semo.keep_made(v_task.office_id, 'session ' || p_task, p_key, to_jsonb(v_session.id));
  return v_session;
end $$;

-- Leaves a message for one work session of a task, by its label, or for all of it.
create function semo.leave_message(p_task spec_tasks, p_from spec_sessions, p_to text, p_text text, p_author text)
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_to uuid;
  v_id bigint;
begin
  if coalesce(p_text, '') !~ '\S' or octet_length(p_text) > 8192 then
    perform semo.refuse('SO004', '"text" must be a text of 1 to 8192 bytes');
  elsif (select count(*) from spec_messages where spec_task_id = p_task.id) >= 2000 then
    perform semo.refuse('SO005', 'this task has 2000 messages, and takes no more');
  end if;
  if p_to is not null then
    select id into v_to from spec_sessions where spec_task_id = p_task.id and label = p_to;
    if v_to is null then
      perform semo.refuse('SO004', format('there is no work session "%s" in this task', p_to), (
        select 'there are ' || string_agg(label, ', ' order by created_at, label) from spec_sessions where spec_task_id = p_task.id));
    end if;
  end if;
  insert into spec_messages (spec_task_id, from_session, to_session, text, author) values (p_task.id, p_from.id, v_to, p_text, p_author)
  returning id into v_id;
  perform semo.spec_event(p_task.id, 'message', p_author, p_from.id,
    jsonb_build_object('from', p_from.label, 'to', p_to, 'text', p_text));
  return v_id;
end $$;

create function leave_spec_message(p_task uuid, p_text text, p_to text default null, p_author text default null, p_key text default null,
                                   p_digest text default null)
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
  v_before jsonb := semo.made_before(v_task.office_id, 'message ' || p_task, p_key, p_digest);
  v_id bigint;
begin
  if v_before is not null then
    return (v_before #>> '{}')::bigint;
  end if;
  v_id := semo.leave_message(v_task, null::spec_sessions, p_to, p_text, semo.spec_author(p_author));
  perform semo.keep_made(v_task.office_id, 'message ' || p_task, p_key, to_jsonb(v_id));
  return v_id;
end $$;

-- A task as the API and its agents see it: facts, work sessions with why they wait, progress.
create function semo.spec_state(p_task spec_tasks)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select to_jsonb(p_task) || jsonb_build_object(
    'branch', 'spec/' || p_task.name, 'folder', '.semo/specs/' || p_task.name,
    'percent', (select case when count(*) = 0 then 0 else round(100.0 * count(*) filter (where status = 'done') / count(*)) end
                from spec_sessions where spec_task_id = p_task.id and kind <> 'planning'),
    'sessions', (
      select coalesce(jsonb_agg(jsonb_build_object(
               'id', s.id, 'label', s.label, 'kind', s.kind, 'title', s.title, 'role', s.role, 'depends_on', s.depends_on, 'status', s.status,
               'parent', (select label from spec_sessions p where p.id = s.parent_id),
               'children', (select coalesce(jsonb_agg(c.label order by c.created_at, c.label), '[]') from spec_sessions c where c.parent_id = s.id),
               'tries', s.tries, 'conflicts', s.conflicts, 'problem', s.problem, 'job_id', s.job_id, 'session_id', s.session_id, 'branch', s.branch,
               'commit', s.commit, 'progress', s.progress, 'percent', s.percent, 'started_at', s.started_at, 'ended_at', s.ended_at,
               'waits_for', case when s.status = 'waiting' then semo.spec_waits_for(s) else w.said ->> 'words' end, 'waiting', w.said - 'words') order by s.created_at, s.label), '[]')
      from spec_sessions s
      left join lateral (select semo.job_waiting(j) as said from jobs j where j.id = s.job_id and s.status = 'running') w on true
      where s.spec_task_id = p_task.id))
$$;

create function spec_task_state(p_task uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks;
begin
  select * into v_task from spec_tasks where id = p_task;
  if v_task.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_task.office_id, 'viewer')) then
    perform semo.refuse('SO003', format('there is no spec task %s', p_task));
  end if;
  return semo.spec_state(v_task);
end $$;

-- Tasks in which the office has something to do: planning, working, or history that is not on its branch yet.
create function spec_tasks_due()
returns table (id uuid, office_id uuid) language sql stable security definer set search_path = public, pg_temp as $$
  select t.id, t.office_id from spec_tasks t where t.status in ('planning', 'implementation') or t.written_event < t.last_event order by t.id
$$;

-- Somebody is about to write history up to this event. Returns up to which event it is to be written: that of whoever began before.
create function spec_history_begun(p_task uuid, p_event bigint)
returns bigint language sql security definer set search_path = public, pg_temp as $$
  update spec_tasks set writing_event = coalesce(writing_event, p_event) where id = p_task returning writing_event
$$;

-- Everything up to this event is in the history on the task's branch, or not worth being there.
create function spec_history_written(p_task uuid, p_event bigint)
returns void language sql security definer set search_path = public, pg_temp as $$
  update spec_tasks set written_event = greatest(written_event, p_event), writing_event = nullif(writing_event, p_event) where id = p_task
$$;

alter table spec_tasks          enable row level security;
alter table spec_versions       enable row level security;
alter table spec_comments       enable row level security;
alter table spec_sessions       enable row level security;
alter table coordination_events enable row level security;
alter table spec_messages       enable row level security;

revoke all on spec_tasks, spec_versions, spec_comments, spec_sessions, coordination_events, spec_messages from anon, authenticated, service_role;
revoke all on sequence spec_comments_id_seq, coordination_events_id_seq, spec_messages_id_seq from anon, authenticated, service_role;
grant select on spec_tasks, spec_versions, spec_comments, spec_sessions, coordination_events, spec_messages to authenticated, service_role;

-- Security definer, so that a policy on the rows of a task needs no second policy check per row.
create function semo.sees_spec_task(p_task uuid)
returns boolean language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select 1 from spec_tasks t where t.id = p_task and semo.has_role(t.office_id, 'viewer'))
$$;
create policy "members see the spec tasks" on spec_tasks for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "whoever sees the task" on spec_versions for select to authenticated using (semo.sees_spec_task(spec_task_id));
create policy "whoever sees the task" on spec_comments for select to authenticated using (semo.sees_spec_task(spec_task_id));
create policy "whoever sees the task" on spec_sessions for select to authenticated using (semo.sees_spec_task(spec_task_id));
create policy "whoever sees the task" on spec_messages for select to authenticated using (semo.sees_spec_task(spec_task_id));
create policy "members see what happened" on coordination_events for select to authenticated using (semo.has_role(office_id, 'viewer'));

revoke execute on function spec_planned, spec_unplanned, spec_session_started, spec_take_in, spec_session_worked, spec_session_failed,
  spec_session_merged, spec_tasks_due, spec_history_begun, spec_history_written from public, anon, authenticated;
grant execute on function spec_planned, spec_unplanned, spec_session_started, spec_take_in, spec_session_worked, spec_session_failed,
  spec_session_merged, spec_tasks_due, spec_history_begun, spec_history_written to service_role;
revoke execute on function create_spec_task, start_spec_task, comment_spec, send_back_spec, approve_spec, retry_spec_task, cancel_spec_task,
  add_spec_session, leave_spec_message, spec_task_state from public, anon;
grant execute on function create_spec_task, start_spec_task, comment_spec, send_back_spec, approve_spec, retry_spec_task, cancel_spec_task,
  add_spec_session, leave_spec_message, spec_task_state to authenticated, service_role;
revoke execute on all functions in schema semo from public;
grant execute on function semo.sees_spec_task to authenticated, service_role;
