-- What people do to plans, jobs and executions: pause, go on, cancel, try again, drop, hurry, kill, stop everything.

-- Draws, of plans: running → paused. What runs goes on.
create function pause_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans := semo.own_plan(p_plan);
begin
  if v_plan.status = 'paused' then
    return;
  elsif v_plan.status <> 'running' then
    perform semo.refuse('SO002', format('plan %s is %s and cannot be paused', p_plan, v_plan.status));
  end if;
  update plans set status = 'paused' where id = p_plan;
  perform semo.tell_of_plan(v_plan.office_id, 'plan.paused', p_plan, jsonb_build_object('name', v_plan.name));
end $$;

-- Draws, of plans: paused → running.
create function resume_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans := semo.own_plan(p_plan);
begin
  if v_plan.status = 'running' then
    return;
  elsif v_plan.status <> 'paused' then
    perform semo.refuse('SO002', format('plan %s is %s and cannot go on', p_plan, v_plan.status),
      case when v_plan.status = 'failed' then 'try its failed jobs again' end);
  end if;
  update plans set status = 'running' where id = p_plan;
  perform semo.tell_of_plan(v_plan.office_id, 'plan.resumed', p_plan, jsonb_build_object('name', v_plan.name));
end $$;

-- Wants the end of an execution; whoever schedules sees it through. One that is checked ends at once. The caller holds the office.
create function semo.want_end(p_execution uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
  v_command agent_commands;
begin
  update executions set kill_wanted_at = coalesce(kill_wanted_at, now()), stopped_at = case when kill_wanted_at is null then null else stopped_at end
  where id = p_execution and status in ('pending', 'running') returning * into v_execution;
  if v_execution.id is null then
    return;
  elsif (select status = 'checking' from jobs where id = v_execution.job_id) then
    perform semo.end_execution(p_execution, 'killed', 'killed', null, 'it was ended by somebody''s wish');
    return;
  end if;
  select * into v_command from agent_commands where id = coalesce(v_execution.command_id, v_execution.session_command_id);
  begin
    perform semo.press_to_end(v_execution, v_command);
  exception when sqlstate 'SO002' or sqlstate 'SO007' then
    null;  -- taken, or ended, at this very moment: the next round of the scheduler sees it
  end;
end $$;

-- Draws, of plans: running → cancelled, paused → cancelled; of jobs: waiting, ready, blocked → cancelled. What runs is interrupted.
create function semo.withdraw_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans := semo.own_plan(p_plan);
  v_lane uuid;
  v_execution uuid;
begin
  if v_plan.status = 'cancelled' then
    return;
  elsif v_plan.status not in ('running', 'paused') then
    perform semo.refuse('SO002', format('plan %s is %s', p_plan, v_plan.status));
  end if;
  update plans set status = 'cancelled' where id = p_plan;
  perform semo.tell_of_plan(v_plan.office_id, 'plan.cancelling', p_plan, jsonb_build_object('name', v_plan.name));
  update jobs set status = 'cancelled', finished_at = clock_timestamp(), not_before = null, answer = null
  where plan_id = p_plan and status in ('waiting', 'ready', 'blocked');
  for v_execution in select e.id from executions e where e.plan_id = p_plan and e.status in ('pending', 'running') order by e.seq loop
    perform semo.want_end(v_execution);
  end loop;
  for v_lane in select id from plan_lanes where plan_id = p_plan and session_id is not null and semo.lane_head(id) is null loop
    perform semo.close_lane_session(v_lane);
  end loop;
  perform semo.next_stage(p_plan);
end $$;

-- The same, for people. The plan of a spec task that is not over ends with the task, and not without it.
create function cancel_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task text;
begin
  select name into v_task from spec_tasks where plan_id = p_plan and status not in ('done', 'cancelled');
  if v_task is not null then
    perform semo.refuse('SO002', format('plan %s is that of the spec task "%s"', p_plan, v_task), format('cancel the task: semo spec cancel %s', v_task));
  end if;
  perform semo.withdraw_plan(p_plan);
end $$;

-- Draws, of jobs: waiting, ready, blocked → cancelled; what runs is interrupted first. p_go_on: what waits for it goes on without it, as
-- if it were done; otherwise as after a failure.
create function drop_job(p_job uuid, p_go_on boolean default false)
returns job_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs := semo.own_job(p_job);
begin
  if (select status = 'cancelled' from plans where id = v_job.plan_id) or v_job.status in ('done', 'failed', 'skipped', 'cancelled') then
    perform semo.refuse('SO002', format('job %s is %s', p_job, v_job.status));
  end if;
  update jobs set waived = p_go_on where id = p_job;
  if v_job.status in ('running', 'checking') then
    perform semo.want_end(v_job.execution_id);
  else
    perform semo.finish_job(p_job, 'cancelled', 'dropped', 'dropped by a person');
  end if;
  return (select status from jobs where id = p_job);
end $$;

-- Draws: blocked, failed, cancelled → waiting; skipped → waiting, of what was skipped for it. Draws, of plans: done, failed → running.
-- p_answer: typed into the session that stands there, instead of the prompt; without it, the job begins again in a fresh session.
create function retry_job(p_job uuid, p_answer text default null)
returns job_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs := semo.own_job(p_job);
  v_session uuid;
  v_again uuid[];
begin
  if v_job.status not in ('blocked', 'failed', 'cancelled') or (select status = 'cancelled' from plans where id = v_job.plan_id) then
    perform semo.refuse('SO002', format('job %s is %s and cannot be tried again', p_job,
      case when v_job.status in ('blocked', 'failed', 'cancelled') then 'part of a cancelled plan' else v_job.status::text end),
      case v_job.status when 'skipped' then 'try again what it was skipped for' end);
  end if;
  select l.session_id into v_session from plan_lanes l join agent_sessions s on s.id = l.session_id and s.ended_at is null
  where l.id = v_job.lane_id and not l.closing;
  if p_answer is not null and (v_job.status <> 'blocked' or v_session is null) then
    perform semo.refuse('SO002', format('no session of job %s waits for an answer', p_job), 'try it again without one');
  elsif p_answer is null and v_session is not null and v_job.failure_kind is distinct from 'cap' then
    perform semo.close_lane_session(v_job.lane_id);
  end if;
  update plans set status = case when status in ('done', 'failed') then 'running' else status end, finished_at = null where id = v_job.plan_id;
  with again as (
    update jobs set status = 'waiting', skipped_for = null, finished_at = null, error = null
    where skipped_for = p_job and status = 'skipped' returning id)
  select array_agg(id) into v_again from again;
  update jobs set status = 'waiting', tries = 0, waived = false, finished_at = null, not_before = null, answer = p_answer,
                  failure_kind = null, error = null, cap = null
  where id = p_job;
  perform semo.tell_of_plan(v_job.office_id, 'job.retried', v_job.plan_id,
    jsonb_build_object('job_id', p_job, 'name', v_job.name, 'answered', p_answer is not null));
  perform semo.promote(array[p_job] || v_again);
  return (select status from jobs where id = p_job);
end $$;

-- Draws: ready → waiting, waiting → ready, where the order in its lane changes. Refused when what depends on what forbids that order.
create function set_job_priority(p_job uuid, p_priority integer)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs := semo.own_job(p_job);
  v_cycle text[];
begin
  if not semo.is_open(v_job.status) then
    perform semo.refuse('SO002', format('job %s is %s', p_job, v_job.status));
  end if;
  update jobs set priority = p_priority where id = p_job;
  if v_job.lane_id is not null then
    v_cycle := semo.cycle_in(v_job.plan_id);
    if v_cycle is not null then
      perform semo.refuse('SO004', 'in that order these jobs would wait for each other in a circle: ' || array_to_string(v_cycle, ' → '));
    end if;
    perform semo.promote_lane(v_job.lane_id);
  end if;
  perform semo.tell_of_plan(v_job.office_id, 'job.priority', v_job.plan_id,
    jsonb_build_object('job_id', p_job, 'name', v_job.name, 'priority', p_priority));
end $$;

-- Wants the end of an execution: its session is interrupted, and its job is cancelled.
create function kill_execution(p_execution uuid)
returns execution_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
begin
  select * into v_execution from executions where id = p_execution;
  if v_execution.id is null then
    perform semo.refuse('SO003', format('there is no execution %s', p_execution));
  end if;
  perform semo.lock_jobs(v_execution.office_id);
  perform semo.wake_schedulers(v_execution.office_id);
  select * into v_execution from executions where id = p_execution;
  if v_execution.status not in ('pending', 'running') then
    perform semo.refuse('SO002', format('execution %s is %s', p_execution, v_execution.status));
  end if;
  perform semo.want_end(p_execution);
  perform semo.tell_of_plan(v_execution.office_id, 'execution.killing', v_execution.plan_id,
    jsonb_build_object('job_id', v_execution.job_id, 'execution_id', p_execution));
  return (select status from executions where id = p_execution);
end $$;

-- Removes finished executions of a job or an office that are older than p_before, but for the latest of each job. Returns how many.
create function clean_executions(p_office uuid, p_before timestamptz, p_job uuid default null)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  perform semo.lock_jobs(p_office);
  delete from executions e using jobs j
  where e.office_id = p_office and j.id = e.job_id and e.finished_at < p_before and (p_job is null or e.job_id = p_job)
    and j.execution_id is distinct from e.id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Removes a plan that is over, with its jobs and executions. Sessions, output and branches stay.
create function delete_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans := semo.own_plan(p_plan);
begin
  if v_plan.finished_at is null then
    perform semo.refuse('SO002', format('plan %s is %s', p_plan, v_plan.status), 'cancel it first');
  end if;
  delete from plans where id = p_plan;
  perform semo.tell_of_plan(v_plan.office_id, 'plan.deleted', p_plan, jsonb_build_object('name', v_plan.name));
end $$;

-- How many jobs of the office run at once, and of which role. p_running null: as it is. p_roles: {"BE":2}; null: as they are.
create function set_job_limits(p_office uuid, p_running integer, p_roles jsonb)
returns job_limits language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_limits job_limits := semo.lock_jobs(p_office);
  v_bad text;
begin
  select key into v_bad from jsonb_each(coalesce(p_roles, '{}'))
  where jsonb_typeof(value) <> 'number' or (value #>> '{}')::numeric not between 1 and 1000 or (value #>> '{}')::numeric % 1 <> 0 limit 1;
  if p_running not between 1 and 1000 then
    perform semo.refuse('SO004', format('running: must be between 1 and 1000, not %s', p_running));
  elsif v_bad is not null then
    perform semo.refuse('SO004', format('roles.%s: must be a whole number between 1 and 1000', v_bad));
  end if;
  select key into v_bad from jsonb_each(coalesce(p_roles, '{}')) where (semo.persona_of(p_office, key)).id is null limit 1;
  if v_bad is not null then
    perform semo.refuse('SO004', format('roles: unknown role "%s"', v_bad));
  end if;
  update job_limits set running = coalesce(p_running, running), roles = coalesce((
    select jsonb_object_agg((semo.persona_of(p_office, key)).role, value) from jsonb_each(p_roles)), case when p_roles is null then roles else '{}' end)
  where office_id = p_office returning * into v_limits;
  if p_running is not null or p_roles is not null then
    perform semo.tell(p_office, 'job_limits.set', jsonb_build_object('running', v_limits.running, 'roles', v_limits.roles));
  end if;
  perform semo.wake_schedulers(p_office);
  return v_limits;
end $$;

-- Stops everything in an office: spec tasks under way fail, plans are cancelled, what nobody has taken is withdrawn, every session is
-- interrupted, then terminated. Calling it again stops what has come up since. Returns {"plans","commands","sessions"}: how many each.
create function stop_office(p_office uuid, p_author text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan uuid;
  v_command uuid;
  v_session agent_sessions;
  v_plans integer := 0;
  v_commands integer := 0;
  v_sessions integer := 0;
begin
  perform semo.stop_spec_tasks(p_office, p_author);
  perform semo.lock_jobs(p_office);
  for v_plan in select id from plans where office_id = p_office and status in ('running', 'paused') order by seq loop
    perform semo.withdraw_plan(v_plan);
    v_plans := v_plans + 1;
  end loop;
  for v_command in
    select id from agent_commands where office_id = p_office and status = 'pending' and command_type not in ('cancel', 'terminate') order by id
  loop
    begin
      perform cancel_command(v_command);
      v_commands := v_commands + 1;
    exception when sqlstate 'SO002' then
      null;  -- taken at this very moment: its session is ended below
    end;
  end loop;
  for v_session in select * from agent_sessions where office_id = p_office and ended_at is null order by id loop
    if v_session.status in ('executing', 'waiting_input', 'needs_permission') then
      insert into agent_commands (office_id, session_id, command_type, author) values (p_office, v_session.id, 'cancel', p_author);
    end if;
    insert into agent_commands (office_id, session_id, command_type, author) values (p_office, v_session.id, 'terminate', p_author);
    v_sessions := v_sessions + 1;
  end loop;
  perform semo.tell(p_office, 'office.stopped', jsonb_build_object('by', p_author, 'plans', v_plans, 'commands', v_commands, 'sessions', v_sessions));
  perform semo.wake_schedulers(p_office);
  return jsonb_build_object('plans', v_plans, 'commands', v_commands, 'sessions', v_sessions);
end $$;

revoke execute on function pause_plan, resume_plan, cancel_plan, drop_job, retry_job, set_job_priority, kill_execution, clean_executions,
  delete_plan, set_job_limits, stop_office from public, anon, authenticated;
grant execute on function pause_plan, resume_plan, cancel_plan, drop_job, retry_job, set_job_priority, kill_execution, clean_executions,
  delete_plan, set_job_limits, stop_office to service_role;
