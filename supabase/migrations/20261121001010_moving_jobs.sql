-- How jobs move: which may start, what their end sets free or stops, and when a plan is over.
-- What starts them is in the next files but one. All of it happens while the office's row of job_limits is held.

-- One at a time moves jobs of an office, so that limits are never exceeded and nobody waits in a circle.
-- It is the first lock that is taken; commands, sessions and clients come after it.
create function semo.lock_jobs(p_office uuid)
returns job_limits language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_limits job_limits;
begin
  select * into v_limits from job_limits where office_id = p_office for update;
  if v_limits.office_id is null then
    if not exists (select 1 from offices where id = p_office) then
      perform semo.refuse('SO003', format('there is no office %s', p_office));
    end if;
    insert into job_limits (office_id) values (p_office) on conflict do nothing;
    select * into v_limits from job_limits where office_id = p_office for update;
  end if;
  return v_limits;
end $$;

-- Wakes whoever schedules the office: somebody has changed what may run.
create function semo.wake_schedulers(p_office uuid)
returns void language sql security definer set search_path = public, pg_temp as $$
  select semo.hint(p_office, 'events', 'jobs', '{}')
$$;

-- A plan, locked with all that moves in its office. SO003 when there is none.
create function semo.own_plan(p_plan uuid)
returns plans language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
begin
  select * into v_plan from plans where id = p_plan;
  if v_plan.id is null then
    perform semo.refuse('SO003', format('there is no plan %s', p_plan));
  end if;
  perform semo.lock_jobs(v_plan.office_id);
  perform semo.wake_schedulers(v_plan.office_id);
  select * into v_plan from plans where id = p_plan;
  return v_plan;
end $$;

-- The same for a job.
create function semo.own_job(p_job uuid)
returns jobs language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs;
begin
  select * into v_job from jobs where id = p_job;
  if v_job.id is null then
    perform semo.refuse('SO003', format('there is no job %s', p_job));
  end if;
  perform semo.lock_jobs(v_job.office_id);
  perform semo.wake_schedulers(v_job.office_id);
  select * into v_job from jobs where id = p_job;
  return v_job;
end $$;

-- Tells of a plan, a stage, a job or an execution. Kinds: plan.created, .jobs_added, .paused, .resumed, .cancelling, .done, .failed, .cancelled,
-- .deleted; stage.began, .ended; job.checking, .checked, .blocked, .tried_again, .retried, .priority, .done, .failed, .cancelled;
-- execution.started, .running, .killing, .completed, .failed, .killed. `detail` has plan_id, and job_id and execution_id where there is one.
create function semo.tell_of_plan(p_office uuid, p_kind text, p_plan uuid, p_detail jsonb default '{}',
                                  p_session uuid default null, p_command uuid default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.tell(p_office, p_kind, jsonb_build_object('plan_id', p_plan) || p_detail, p_session, p_command);
end $$;

create function semo.is_open(p_status job_status)
returns boolean language sql immutable as $$
  select p_status in ('waiting', 'ready', 'running', 'checking', 'blocked')
$$;

-- The job of a lane whose turn it is: the one that is in work or stands still, else the first of those that wait.
create function semo.lane_head(p_lane uuid)
returns uuid language sql stable set search_path = public, pg_temp as $$
  select coalesce(
    (select j.id from jobs j where j.lane_id = p_lane and j.status in ('running', 'checking', 'blocked') limit 1),
    (select j.id from jobs j where j.lane_id = p_lane and j.status in ('waiting', 'ready', 'running', 'checking', 'blocked')
     order by j.priority desc, j.seq limit 1))
$$;

-- Draws: waiting → ready, of those jobs that nothing but limits holds back any more.
create function semo.promote(p_jobs uuid[])
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update jobs j set status = 'ready', not_before = null
  from plans p
  where j.id = any (p_jobs) and p.id = j.plan_id and j.status = 'waiting' and j.unmet = 0 and j.stage <= p.stage
    and (j.not_before is null or j.not_before <= now())
    and (j.lane_id is null
         or (j.id = semo.lane_head(j.lane_id) and not (select l.closing from plan_lanes l where l.id = j.lane_id)));
end $$;

-- Draws: ready → waiting, of jobs in a lane that another one goes before; then waiting → ready of that one.
create function semo.promote_lane(p_lane uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_head uuid := semo.lane_head(p_lane);
begin
  update jobs set status = 'waiting' where lane_id = p_lane and status = 'ready' and id is distinct from v_head;
  perform semo.promote(array[v_head]);
end $$;

-- Has the session of a lane ended. Its worktree and its branch stay; the next job there gets a new session in them.
create function semo.close_lane_session(p_lane uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_lane plan_lanes;
begin
  select * into v_lane from plan_lanes where id = p_lane;
  if v_lane.session_id is null or v_lane.closing then
    return;
  elsif (select ended_at is not null from agent_sessions where id = v_lane.session_id) then
    update plan_lanes set session_id = null where id = p_lane;
    return;
  end if;
  insert into agent_commands (office_id, session_id, command_type, author)
  values (v_lane.office_id, v_lane.session_id, 'terminate', 'plan:' || v_lane.plan_id);
  update plan_lanes set closing = true where id = p_lane;
end $$;

-- Draws: waiting → skipped, ready → skipped: of all that some jobs, which were not done, take with them. Jobs that depend on them
-- go the way that the plan's on_failure says, those behind them in their lane the way that the lane's says.
-- p_cause: for which failure they are skipped. Returns the jobs that are not done now, the given ones among them.
create function semo.skip_after(p_plan plans, p_jobs uuid[], p_cause uuid)
returns uuid[] language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_frontier uuid[] := p_jobs;
  v_all uuid[] := p_jobs;
begin
  loop
    with hit as (
      select d.job_id as id from job_dependencies d where p_plan.on_failure = 'stop' and d.depends_on_id = any (v_frontier) and not d.met
      union
      select o.id from jobs f join plan_lanes l on l.id = f.lane_id join jobs o on o.lane_id = l.id
      where f.id = any (v_frontier) and l.on_failure = 'stop' and o.status in ('waiting', 'ready')
        and (o.priority < f.priority or (o.priority = f.priority and o.seq > f.seq))),
    skipped as (
      update jobs j set status = 'skipped', skipped_for = p_cause, finished_at = clock_timestamp(), not_before = null
      from hit where j.id = hit.id and j.status in ('waiting', 'ready') returning j.id)
    select coalesce(array_agg(id), '{}') into v_frontier from skipped;
    exit when v_frontier = '{}';
    v_all := v_all || v_frontier;
  end loop;
  return v_all;
end $$;

-- What depends on these jobs waits for them no longer. Returns what has nothing left to wait for.
create function semo.meet_dependencies(p_jobs uuid[])
returns uuid[] language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_free uuid[];
begin
  with met as (
    update job_dependencies d set met = true where d.depends_on_id = any (p_jobs) and not d.met returning d.job_id),
  counted as (
    select job_id, count(*)::integer as how_many from met group by job_id),
  reached as (
    update jobs j set unmet = j.unmet - c.how_many from counted c where j.id = c.job_id returning j.id, j.unmet)
  select coalesce(array_agg(id), '{}') into v_free from reached where unmet = 0;
  return v_free;
end $$;

-- After jobs of a plan became final: sets free what waited for them, or skips it; then the lanes, the wave and the plan.
create function semo.after_final(p_plan uuid, p_jobs uuid[])
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
  v_done uuid[];
  v_not_done uuid[];
  v_free uuid[];
  v_lane uuid;
begin
  select * into v_plan from plans where id = p_plan;
  select coalesce(array_agg(id) filter (where status = 'done' or waived), '{}'),
         coalesce(array_agg(id) filter (where status <> 'done' and not waived), '{}')
  into v_done, v_not_done from jobs where id = any (p_jobs);
  if v_not_done <> '{}' then
    v_not_done := semo.skip_after(v_plan, v_not_done, v_not_done[1]);
  end if;
  v_free := semo.meet_dependencies(case when v_plan.on_failure = 'continue' then v_done || v_not_done else v_done end);
  perform semo.promote(v_free);
  for v_lane in select distinct lane_id from jobs where id = any (v_done || v_not_done) and lane_id is not null loop
    if semo.lane_head(v_lane) is null then
      perform semo.close_lane_session(v_lane);
    else
      if (select l.sessions = 'fresh' from plan_lanes l where l.id = v_lane) then
        perform semo.close_lane_session(v_lane);
      end if;
      perform semo.promote_lane(v_lane);
    end if;
  end loop;
  perform semo.next_stage(p_plan);
end $$;

-- Begins the next wave once the present one is over, and ends the plan after the last.
-- Draws: waiting → skipped, of the waves after one in which something failed, unless the plan goes on after failures.
create function semo.next_stage(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
  v_next integer;
  v_failed uuid;
  v_begun uuid[];
  v_skipped uuid[];
begin
  loop
    select * into v_plan from plans where id = p_plan;
    select min(stage) into v_next from jobs
    where plan_id = p_plan and status in ('waiting', 'ready', 'running', 'checking', 'blocked');
    if v_next is null then
      perform semo.end_plan(v_plan);
      return;
    end if;
    exit when v_next <= v_plan.stage;

    select id into v_failed from jobs
    where v_plan.on_failure = 'stop' and plan_id = p_plan and stage < v_next and status in ('failed', 'skipped', 'cancelled') and not waived
    order by status <> 'failed', seq limit 1;
    if v_failed is not null then
      with skipped as (
        update jobs set status = 'skipped', skipped_for = v_failed, finished_at = clock_timestamp()
        where plan_id = p_plan and stage > v_plan.stage and status in ('waiting', 'ready') returning id)
      select coalesce(array_agg(id), '{}') into v_skipped from skipped;
      continue when v_skipped <> '{}';
      return;
    end if;
    perform semo.tell_of_plan(v_plan.office_id, 'stage.ended', p_plan, jsonb_build_object('stage', v_plan.stage));
    update plans set stage = v_next where id = p_plan;
    perform semo.tell_of_plan(v_plan.office_id, 'stage.began', p_plan, jsonb_build_object('stage', v_next));
    select array_agg(id) into v_begun from jobs where plan_id = p_plan and stage = v_next and status = 'waiting';
    perform semo.promote(v_begun);
    return;
  end loop;
end $$;

-- Draws, of plans: running → done, running → failed, paused → done, paused → failed, when none of its jobs is open any more.
-- A plan that was cancelled stays so.
create function semo.end_plan(p_plan plans)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_status plan_status;
begin
  if p_plan.finished_at is not null or (p_plan.keep_open and p_plan.status <> 'cancelled') then
    return;
  end if;
  v_status := case when p_plan.status = 'cancelled' then 'cancelled'
                   when exists (select 1 from jobs where plan_id = p_plan.id and status in ('failed', 'skipped')) then 'failed'
                   else 'done' end;
  update plans set status = v_status, finished_at = clock_timestamp() where id = p_plan.id;
  perform semo.tell_of_plan(p_plan.office_id, 'plan.' || v_status, p_plan.id, jsonb_build_object('name', p_plan.name));
end $$;

-- Draws: running → done, failed, cancelled; checking → done, failed, cancelled; ready → failed; waiting, ready, blocked → cancelled.
create function semo.finish_job(p_job uuid, p_status job_status, p_failure_kind text default null, p_error text default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs;
begin
  update jobs set status = p_status, failure_kind = p_failure_kind, error = p_error, finished_at = clock_timestamp(), not_before = null, answer = null
  where id = p_job and semo.is_open(status) returning * into v_job;
  if v_job.id is null then
    perform semo.refuse('SO002', format('job %s is over', p_job));
  end if;
  perform semo.tell_of_plan(v_job.office_id, 'job.' || p_status, v_job.plan_id,
    jsonb_build_object('job_id', v_job.id, 'name', v_job.name, 'execution_id', v_job.execution_id, 'failure_kind', p_failure_kind, 'error', p_error));
  perform semo.after_final(v_job.plan_id, array[p_job]);
end $$;
