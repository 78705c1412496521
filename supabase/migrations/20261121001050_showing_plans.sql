-- What people see of plans: how far they are, and why each job that waits does.

-- Why a job does not run: {"why", "words", and what it is about}. `why` is stable, for those who say it in another language. Null when the
-- job runs or is over. Of a command that no machine takes, `why` is the reason of semo.waiting_reason.
--   asked {"said"}  blocked {"said"}  cap {"cap","said"}  checking     a person decides; or its turn is done, and is looked at
--   jobs {"names","more"}  wave {"wave","left"}  lane {"job","lane"}  lane_closing {"lane"}  again {"at","kind","said"}   others come first
--   plan_paused  office_running, plan_running {"running","most"}  role_running {"running","most","role"}  starting      limits
create function semo.job_waiting(p_job jobs)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
  v_lane plan_lanes;
  v_limits job_limits;
  v_before text[];
  v_count integer;
  v_most integer;
  v_head jobs;
  v_command agent_commands;
  v_why text;
begin
  if p_job.status = 'blocked' then
    v_why := case when p_job.failure_kind = 'asked' then 'asked' when p_job.cap is not null then 'cap' else 'blocked' end;
    return semo.waits(v_why, jsonb_build_object('said', p_job.error, 'cap', p_job.cap - 'words'),
      case v_why when 'asked' then 'its agent asked, and somebody must answer, retry or drop it: ' || coalesce(p_job.error, '')
                 else coalesce(p_job.error, 'somebody must retry or drop it') end);
  elsif p_job.status = 'running' then
    select c.* into v_command from executions e join agent_commands c on c.id = coalesce(e.command_id, e.session_command_id)
    where e.id = p_job.execution_id and c.status = 'pending';
    if v_command.id is null then return null; end if;
    v_why := coalesce(semo.waiting_reason(v_command) ->> 'reason', 'about_to_be_taken');
    return semo.waits(v_why, '{}', case v_why
      when 'no_client' then 'no machine has joined this office yet'
      when 'no_client_online' then 'no machine that could take it is online'
      when 'no_client_capable' then 'no machine that is online has that agent'
      when 'all_clients_busy' then 'all sessions of the machines are taken'
      when 'circuit_open' then 'sessions of this role could not be made; it is tried again every minute'
      when 'low_memory' then 'the machines have no memory for another session'
      when 'no_repository' then 'no machine that is online has the repository of this office'
      when 'draining' then 'an admin has the machines take no new work (semo clients drain NAME --off)'
      when 'paused' then 'the users of the machines let them take no new work (semo client resume, there)'
      when 'agent_overloaded' then 'the service of its agent is overloaded; it is left in peace for a while'
      when 'agent_quota' then 'the quota of its agent is used up; it is tried again after a while'
      when 'behind_another_command' then 'an earlier command of its session comes first'
      when 'not_before' then 'its machine tries again after a pause'
      when 'office_full' then 'the office has as many sessions in use as it allows'
      else 'a machine is about to take it' end);
  elsif p_job.status = 'checking' then
    return semo.waits('checking', '{}', 'its turn is done, and what must hold is being checked');
  elsif p_job.status not in ('waiting', 'ready') then
    return null;
  end if;

  select * into v_plan from plans where id = p_job.plan_id;
  if p_job.unmet > 0 then
    select array_agg(b.name order by b.seq), count(*) into v_before, v_count
    from job_dependencies d join jobs b on b.id = d.depends_on_id where d.job_id = p_job.id and not d.met;
    return semo.waits('jobs', jsonb_build_object('names', v_before[1:3], 'more', greatest(v_count - 3, 0)),
      format('waits for %s%s', array_to_string(v_before[1:3], ', '), case when v_count > 3 then format(' and %s more', v_count - 3) else '' end));
  elsif p_job.stage > v_plan.stage then
    select count(*) into v_count from jobs
    where plan_id = v_plan.id and stage = v_plan.stage and status in ('waiting', 'ready', 'running', 'checking', 'blocked');
    return semo.waits('wave', jsonb_build_object('wave', v_plan.stage + 1, 'left', v_count),
      format('waits for wave %s, of which %s %s left', v_plan.stage + 1, v_count, case v_count when 1 then 'job is' else 'jobs are' end));
  elsif p_job.not_before > now() then
    return semo.waits('again', jsonb_build_object('at', p_job.not_before, 'kind', p_job.failure_kind, 'said', p_job.error),
      format('tries again at %s UTC after "%s" (%s)', to_char(p_job.not_before at time zone 'utc', 'HH24:MI:SS'), p_job.failure_kind, p_job.error));
  end if;
  select * into v_lane from plan_lanes where id = p_job.lane_id;
  if v_lane.id is not null then
    select * into v_head from jobs where id = semo.lane_head(v_lane.id);
    if v_head.id is distinct from p_job.id then
      return semo.waits('lane', jsonb_build_object('job', v_head.name, 'lane', v_lane.name),
        format('waits for %s, which comes before it in lane %s', v_head.name, v_lane.name));
    elsif v_lane.closing then
      return semo.waits('lane_closing', jsonb_build_object('lane', v_lane.name), format('waits until the last session of lane %s has ended', v_lane.name));
    end if;
  end if;
  select * into v_limits from job_limits where office_id = p_job.office_id;
  if v_plan.status = 'paused' then
    return semo.waits('plan_paused', '{}', 'the plan is paused');
  end if;
  select count(*) into v_count from jobs where office_id = p_job.office_id and status in ('running', 'checking');
  if v_count >= v_limits.running then
    return semo.waits('office_running', jsonb_build_object('running', v_count, 'most', v_limits.running),
      format('the office runs %s of %s jobs at once', v_count, v_limits.running));
  end if;
  select count(*) into v_count from jobs where office_id = p_job.office_id and plan_id = p_job.plan_id and status in ('running', 'checking');
  if v_count >= v_plan.max_running then
    return semo.waits('plan_running', jsonb_build_object('running', v_count, 'most', v_plan.max_running),
      format('the plan runs %s of %s jobs at once', v_count, v_plan.max_running));
  end if;
  select count(*) into v_count from jobs where office_id = p_job.office_id and role = p_job.role and status in ('running', 'checking');
  v_most := (v_limits.roles ->> p_job.role)::integer;
  if v_count >= v_most then
    return semo.waits('role_running', jsonb_build_object('running', v_count, 'most', v_most, 'role', p_job.role),
      format('the office runs %s of %s jobs of the role %s at once', v_count, v_most, p_job.role));
  end if;
  return semo.waits('starting', '{}', 'is about to start');
end $$;

create function semo.waits(p_why text, p_about jsonb, p_words text)
returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object('why', p_why, 'words', p_words) || p_about)
$$;

-- Counts of jobs by status, with the whole and how much of it is over, in percent.
create function semo.progress(p_statuses job_status[])
returns jsonb language sql immutable as $$
  select jsonb_build_object('total', coalesce(cardinality(p_statuses), 0),
    'over', count(*) filter (where not semo.is_open(s)),
    'percent', case when count(*) = 0 then 0 else round(100.0 * count(*) filter (where not semo.is_open(s)) / count(*), 1) end)
    || jsonb_build_object(
    'waiting', count(*) filter (where s = 'waiting'), 'ready', count(*) filter (where s = 'ready'), 'running', count(*) filter (where s = 'running'),
    'checking', count(*) filter (where s = 'checking'), 'blocked', count(*) filter (where s = 'blocked'), 'done', count(*) filter (where s = 'done'),
    'failed', count(*) filter (where s = 'failed'), 'skipped', count(*) filter (where s = 'skipped'), 'cancelled', count(*) filter (where s = 'cancelled'))
  from unnest(p_statuses) s
$$;

-- A plan as a whole: its row, its progress, that of its stages and of its lanes with several jobs.
create function plan_state(p_plan uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
begin
  select * into v_plan from plans where id = p_plan;
  if v_plan.id is null then
    perform semo.refuse('SO003', format('there is no plan %s', p_plan));
  end if;
  return to_jsonb(v_plan) - 'digest' - 'idempotency_key' || jsonb_build_object(
    'progress', (select semo.progress(array_agg(status)) from jobs where plan_id = p_plan),
    'stages', (
      select coalesce(jsonb_agg(s.said order by s.stage), '[]') from (
        select stage, jsonb_build_object('stage', stage) || semo.progress(array_agg(status)) as said from jobs where plan_id = p_plan group by stage) s),
    'lanes', (
      select coalesce(jsonb_agg(x.said order by x.name), '[]') from (
        select l.name, jsonb_build_object('lane_id', l.id, 'name', l.name, 'role', l.role, 'task', l.task, 'agent', l.agent, 'on_failure', l.on_failure,
                 'sessions', l.sessions, 'session_id', l.session_id, 'client_id', l.client_id) || semo.progress(array_agg(j.status)) as said
        from plan_lanes l join jobs j on j.lane_id = l.id where l.plan_id = p_plan group by l.id having v_plan.kind = 'epics' or count(*) > 1) x));
end $$;

-- One job, as people see it.
create function semo.job_seen(p_job jobs)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select to_jsonb(p_job) - '{unmet,cap}'::text[] || jsonb_build_object(
    'waiting_reason', w.said ->> 'words', 'waiting', w.said - 'words',
    'model', (select l.model from plan_lanes l where l.id = p_job.lane_id),
    'lane', (select l.name from plan_lanes l where l.id = p_job.lane_id),
    'branch', (select 'agent/' || l.role || '-' || l.task from plan_lanes l where l.id = p_job.lane_id),
    'depends_on', (select coalesce(jsonb_agg(b.name order by b.seq), '[]') from job_dependencies d join jobs b on b.id = d.depends_on_id where d.job_id = p_job.id),
    'execution', (select to_jsonb(e) - 'prompt' from executions e where e.id = p_job.execution_id))
  from (select semo.job_waiting(p_job) as said) w
$$;

-- Jobs of a plan in their order, from behind p_after (a seq), at most p_limit, with why those that wait do.
create function plan_jobs(p_plan uuid, p_after bigint default 0, p_limit integer default 200, p_statuses job_status[] default null)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(semo.job_seen(j) order by j.seq), '[]') from (
    select * from jobs where plan_id = p_plan and seq > p_after and (p_statuses is null or status = any (p_statuses)) order by seq limit p_limit) j
$$;

-- One job with all its executions.
create function job_state(p_job uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_job jobs;
begin
  select * into v_job from jobs where id = p_job;
  if v_job.id is null then
    perform semo.refuse('SO003', format('there is no job %s', p_job));
  end if;
  return semo.job_seen(v_job) || jsonb_build_object('executions', (
    select jsonb_agg(to_jsonb(e) order by e.number) from executions e where e.job_id = p_job));
end $$;

-- Jobs of an office whose name or prompt has all of the words, newest first; `before`: a seq. Words as of a search engine:
-- "exact words", -without, this or that. p_statuses: only those.
create function search_jobs(p_office uuid, p_words text, p_before bigint default null, p_limit integer default 50, p_statuses job_status[] default null)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(semo.job_seen(j) order by j.seq desc), '[]') from (
    select * from jobs j
    where j.office_id = p_office and (p_before is null or j.seq < p_before) and (p_statuses is null or j.status = any (p_statuses))
      and (coalesce(p_words, '') !~ '\S' or to_tsvector('simple', j.name || ' ' || j.prompt) @@ websearch_to_tsquery('simple', p_words))
    order by j.seq desc limit p_limit) j
$$;

-- Plans of an office with their progress, newest first; p_before: a seq.
create function list_plans(p_office uuid, p_statuses plan_status[] default null, p_before bigint default null, p_limit integer default 50)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(to_jsonb(p) - 'digest' - 'idempotency_key' - 'options' || jsonb_build_object(
           'progress', (select semo.progress(array_agg(status)) from jobs where plan_id = p.id)) order by p.seq desc), '[]') from (
    select * from plans where office_id = p_office and (p_statuses is null or status = any (p_statuses)) and (p_before is null or seq < p_before)
    order by seq desc limit p_limit) p
$$;

create function semo.execution_seen(p_execution executions)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select to_jsonb(p_execution) || (
    select jsonb_build_object('name', j.name, 'role', j.role, 'job_status', j.status, 'priority', j.priority, 'waiting_reason',
             case when j.execution_id = p_execution.id then semo.job_waiting(j) ->> 'words' end)
    from jobs j where j.id = p_execution.job_id)
$$;

-- Executions of an office, newest first; p_before: a seq.
create function list_executions(p_office uuid, p_statuses execution_status[] default null, p_plan uuid default null, p_job uuid default null,
                                p_before bigint default null, p_limit integer default 50)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(semo.execution_seen(e) order by e.seq desc), '[]') from (
    select * from executions where office_id = p_office and (p_statuses is null or status = any (p_statuses))
      and (p_plan is null or plan_id = p_plan) and (p_job is null or job_id = p_job) and (p_before is null or seq < p_before)
    order by seq desc limit p_limit) e
$$;

create function execution_state(p_execution uuid)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
begin
  select * into v_execution from executions where id = p_execution;
  if v_execution.id is null then
    perform semo.refuse('SO003', format('there is no execution %s', p_execution));
  end if;
  return semo.execution_seen(v_execution);
end $$;

-- What was told of one execution, in order, from behind p_after (the id of an event).
create function execution_events(p_execution uuid, p_after bigint default 0)
returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'kind', e.kind, 'at', e.at, 'detail', e.detail) order by e.id), '[]')
  from session_events e where e.detail ? 'execution_id' and e.detail ->> 'execution_id' = p_execution::text and e.id > p_after
$$;

revoke execute on function plan_state, plan_jobs, job_state, search_jobs, list_plans, list_executions, execution_state, execution_events
  from public, anon, authenticated;
grant execute on function plan_state, plan_jobs, job_state, search_jobs, list_plans, list_executions, execution_state, execution_events
  to service_role;

-- Helpers are ours alone.
revoke execute on all functions in schema semo from public;
