-- The scheduler: takes in what executions have come to, and starts what limits allow. Servers call run_schedule as often as they like.

-- Whether an agent's service was the trouble, from the evidence of a turn: overloaded, quota, or null.
create function semo.service_trouble(p_result jsonb)
returns text language sql immutable as $$
  select case
    when p_result @? '$.evidence[*] ? (@.status == 529 || @.status == 503 || @.error == "overloaded" || @.error == "overloaded_error" || @.name == "overloaded")'
      then 'overloaded'
    when p_result @? '$.evidence[*] ? (@.status == 429 || @.error == "rate_limit" || @.error == "billing_error" || @.name == "rate_limit")'
      then 'quota' end
$$;

-- How an attempt failed, from what its command came to: timeout, died, lost, overload, quota (which may be tried again), asked,
-- interrupted, refused, agent.
create function semo.failure_kind(p_status command_status, p_error_code text, p_result jsonb)
returns text language sql immutable as $$
  with evidence as (
    select e from jsonb_array_elements(coalesce(p_result -> 'evidence', '[]')) as e)
  select case
    when p_status = 'lost' or p_error_code in ('lost', 'turn_lost') then 'lost'
    when p_status in ('expired', 'cancelled') then 'interrupted'
    when p_error_code in ('turn_waiting_input', 'turn_needs_permission') then 'asked'
    when exists (select 1 from evidence where e ->> 'kind' = 'timeout') then 'timeout'
    when p_error_code = 'turn_interrupted' then 'interrupted'
    when p_error_code = 'turn_error' and exists (
      select 1 from evidence where (e ->> 'kind' = 'transcript' and e ->> 'status' in ('503', '529'))
        or concat_ws(' ', e ->> 'error', e ->> 'name') ~* 'overloaded'
        or (e ->> 'says' = 'error' and concat_ws(' ', e ->> 'text', e ->> 'message') ~* '^.{0,60}(overloaded|is at capacity)')) then 'overload'
    when p_error_code = 'turn_error' and semo.service_trouble(p_result) = 'quota' then 'quota'
    when p_error_code = 'turn_error' and exists (select 1 from evidence where e ->> 'kind' = 'exit') then 'died'
    when p_error_code in ('session_failed', 'host_gone', 'session_ended', 'not_found', 'attempts_exhausted', 'fenced', 'no_room') then 'died'
    when p_error_code = 'turn_error' then 'agent'
    else 'refused' end
$$;

-- Which cap keeps the next turn of a job from beginning, as budget_state tells it; null when none does. The job is then blocked and says so.
create function semo.held_by_a_cap(p_job jobs)
returns jsonb language plpgsql stable set search_path = public, pg_temp as $$
begin
  return semo.reached_cap(p_job.office_id, p_job.role, coalesce(p_job.agent, (
    select s.agent from plan_lanes l join agent_sessions s on s.id = l.session_id where l.id = p_job.lane_id)), p_job.plan_id, p_job.id);
end $$;

-- Types a prompt in the session of an execution, or in one that its machine takes from the pool.
create function semo.send_job_prompt(p_execution executions, p_job jobs, p_text text, p_session uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command uuid;
begin
  insert into agent_commands (office_id, client_id, session_id, command_type, payload, priority, author, execution_id)
  values (p_job.office_id, case when p_session is null then p_job.client_id end, p_session, 'send_prompt',
          jsonb_build_object('text', p_text, 'timeout_s', p_job.timeout_s)
            || case when p_session is null then jsonb_strip_nulls(jsonb_build_object('role', p_job.role, 'agent', p_job.agent)) else '{}' end,
          p_job.priority, 'plan:' || p_job.plan_id, p_execution.id)
  returning id into v_command;
  update executions set command_id = v_command, prompt = p_text, session_id = coalesce(p_session, session_id) where id = p_execution.id;
end $$;

-- Draws: ready → running, with a pending execution; ready → blocked, when a cap forbids it; ready → failed, when its command is refused.
create function semo.start_job(p_job jobs)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs := p_job;
  v_lane plan_lanes;
  v_cap jsonb := semo.held_by_a_cap(p_job);
  v_execution executions;
  v_command uuid;
begin
  if v_cap is not null then
    perform semo.block_job(v_job, 'cap', v_cap ->> 'words', v_cap);
    return;
  end if;
  insert into executions (office_id, plan_id, job_id, number, prompt)
  values (v_job.office_id, v_job.plan_id, v_job.id, 1 + (select count(*) from executions where job_id = v_job.id), coalesce(v_job.answer, v_job.prompt))
  returning * into v_execution;
  update jobs set status = 'running', tries = tries + 1, rounds = 0, execution_id = v_execution.id, started_at = coalesce(started_at, clock_timestamp()),
                  failure_kind = null, error = null, answer = null
  where id = v_job.id;
  perform semo.tell_of_plan(v_job.office_id, 'execution.started', v_job.plan_id,
    jsonb_build_object('job_id', v_job.id, 'name', v_job.name, 'execution_id', v_execution.id, 'number', v_execution.number));

  select * into v_lane from plan_lanes where id = v_job.lane_id;
  if v_lane.session_id is not null and (select ended_at is not null from agent_sessions where id = v_lane.session_id) then
    v_lane.session_id := null;
    update plan_lanes set session_id = null where id = v_lane.id;
  end if;
  begin
    if v_lane.id is null or v_lane.session_id is not null then
      perform semo.send_job_prompt(v_execution, v_job, v_execution.prompt, v_lane.session_id);
    else
      insert into agent_commands (office_id, client_id, command_type, payload, priority, author, execution_id)
      values (v_job.office_id, v_lane.client_id, 'create_session', jsonb_strip_nulls(jsonb_build_object(
                'role', v_lane.role, 'agent', v_lane.agent, 'model', v_lane.model, 'mcp', v_lane.mcp, 'resume', v_lane.resume,
                'task', v_lane.task, 'base', v_lane.base)),
              v_job.priority, 'plan:' || v_job.plan_id, v_execution.id)
      returning id into v_command;
      update executions set session_command_id = v_command where id = v_execution.id;
    end if;
  exception when sqlstate 'SO003' or sqlstate 'SO004' or sqlstate 'SO005' or sqlstate 'SO007' then
    perform semo.end_execution(v_execution.id, 'failed', case when sqlstate = 'SO007' then 'died' else 'refused' end, sqlstate, sqlerrm);
  end;
end $$;

-- Draws: running → blocked, ready → blocked, checking → blocked. Takes no place; a person retries or drops it.
create function semo.block_job(p_job jobs, p_kind text, p_words text, p_cap jsonb default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update jobs set status = 'blocked', failure_kind = p_kind, error = p_words, cap = p_cap where id = p_job.id;
  perform semo.tell_of_plan(p_job.office_id, 'job.blocked', p_job.plan_id,
    jsonb_build_object('job_id', p_job.id, 'name', p_job.name, 'execution_id', p_job.execution_id, 'why', p_kind, 'error', p_words));
end $$;

-- Draws, of executions: pending → completed, failed, killed; running → completed, failed, killed.
-- Draws, of jobs: running → done, waiting (tried again), blocked, failed, cancelled; checking → done, blocked, failed, cancelled.
create function semo.end_execution(p_execution uuid, p_status execution_status, p_failure_kind text default null,
                                   p_error_code text default null, p_error text default null)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
  v_job jobs;
  v_plan plans;
  v_pause interval;
begin
  update executions set status = p_status, failure_kind = p_failure_kind, error_code = p_error_code, error = p_error, finished_at = clock_timestamp()
  where id = p_execution and status in ('pending', 'running') returning * into v_execution;
  if v_execution.id is null then
    perform semo.refuse('SO002', format('execution %s is over', p_execution));
  end if;
  perform semo.tell_of_plan(v_execution.office_id, 'execution.' || p_status, v_execution.plan_id, jsonb_build_object(
    'job_id', v_execution.job_id, 'execution_id', v_execution.id, 'failure_kind', p_failure_kind, 'error_code', p_error_code, 'error', p_error,
    'outcome', v_execution.outcome, 'command', v_execution.command_id), v_execution.session_id, v_execution.command_id);
  select * into v_job from jobs where id = v_execution.job_id;
  select * into v_plan from plans where id = v_execution.plan_id;

  if p_status = 'completed' then
    perform semo.finish_job(v_job.id, 'done');
  elsif p_status = 'killed' then
    perform semo.finish_job(v_job.id, 'cancelled', 'killed', p_error);
  elsif p_failure_kind in ('asked', 'cap') then
    perform semo.block_job(v_job, p_failure_kind, p_error);
  elsif p_failure_kind = any (v_plan.retry_kinds)
        and (p_failure_kind = 'quota' or v_job.tries < coalesce(v_job.max_tries, v_plan.max_tries)) then
    -- While a quota is used up the agent rests on that machine: the job waits for as long, and has not used up a try.
    v_pause := case p_failure_kind when 'quota' then semo.rest_of_agents(v_execution.client_id)
                 else make_interval(secs => v_plan.backoff_s[least(v_job.tries, cardinality(v_plan.backoff_s))]::double precision) end;
    -- Another try gets a fresh session in the same worktree, unless only the service behind the agent was at fault.
    if v_job.lane_id is not null and p_failure_kind not in ('overload', 'quota') then
      perform semo.close_lane_session(v_job.lane_id);
    end if;
    update jobs set status = 'waiting', not_before = now() + v_pause, failure_kind = p_failure_kind, error = p_error,
                    tries = tries - case p_failure_kind when 'quota' then 1 else 0 end
    where id = v_job.id;
    perform semo.tell_of_plan(v_job.office_id, 'job.tried_again', v_job.plan_id, jsonb_build_object(
      'job_id', v_job.id, 'name', v_job.name, 'execution_id', v_execution.id, 'failure_kind', p_failure_kind, 'not_before', now() + v_pause));
    perform semo.promote(array[v_job.id]);
  else
    perform semo.finish_job(v_job.id, 'failed', p_failure_kind, p_error);
  end if;
end $$;

-- The machine's word on the prompt of an execution is final: keeps it, and decides what becomes of the job.
-- Draws: running → checking, when its turn is done and it has conditions.
create function semo.take_in_prompt(p_execution executions, p_command agent_commands)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_result agent_command_results;
  v_job jobs;
  v_kind text;
begin
  select * into v_result from agent_command_results where command_id = p_command.id and attempt = p_command.attempt;
  update executions set
    result = v_result.result, client_id = coalesce(p_command.claimed_by, client_id), session_id = coalesce(p_command.session_id, session_id),
    turn_id = (v_result.result ->> 'turn_id')::uuid, outcome = (v_result.result ->> 'outcome')::turn_outcome,
    running_at = coalesce(running_at, p_command.claimed_at)
  where id = p_execution.id;
  select * into v_job from jobs where id = p_execution.job_id;
  if p_execution.kill_wanted_at is not null then
    perform semo.end_execution(p_execution.id, 'killed', 'killed', null, 'it was ended by somebody''s wish');
  elsif v_result.success and v_result.result ->> 'outcome' = 'done' then
    if v_job.conditions = '[]' then
      perform semo.end_execution(p_execution.id, 'completed');
    else
      update executions set status = 'running' where id = p_execution.id;
      update jobs set status = 'checking' where id = v_job.id;
      perform semo.tell_of_plan(v_job.office_id, 'job.checking', v_job.plan_id,
        jsonb_build_object('job_id', v_job.id, 'name', v_job.name, 'execution_id', p_execution.id, 'round', v_job.rounds));
    end if;
  else
    v_kind := case when p_execution.stopped_at is not null then 'timeout'
                   else semo.failure_kind(p_command.status, v_result.error_code, v_result.result) end;
    perform semo.end_execution(p_execution.id, 'failed', v_kind, coalesce(v_result.error_code, p_command.status::text),
      coalesce(v_result.error, format('its command is %s', p_command.status)));
  end if;
end $$;

-- The session that was made for an execution is there, or could not be made.
create function semo.take_in_session(p_execution executions, p_command agent_commands)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_result agent_command_results;
  v_job jobs;
  v_session agent_sessions;
begin
  select * into v_result from agent_command_results where command_id = p_command.id and attempt = p_command.attempt;
  select * into v_job from jobs where id = p_execution.job_id;
  if v_result.success then
    select * into v_session from agent_sessions where id = (v_result.result ->> 'session_id')::uuid;
    update plan_lanes set session_id = v_session.id, client_id = v_session.client_id, resume = null where id = v_job.lane_id;
    update executions set session_id = v_session.id, client_id = v_session.client_id where id = p_execution.id;
  end if;
  if p_execution.kill_wanted_at is not null then
    perform semo.end_execution(p_execution.id, 'killed', 'killed', null, 'it was ended by somebody''s wish');
  elsif not coalesce(v_result.success, false) then
    -- A session that is not there is one that died; a repository or a base that is not there never will be.
    perform semo.end_execution(p_execution.id, 'failed', case when v_result.error_code = 'not_found' then 'refused'
      else semo.failure_kind(p_command.status, v_result.error_code, v_result.result) end,
      coalesce(v_result.error_code, p_command.status::text), coalesce(v_result.error, format('its command is %s', p_command.status)));
  else
    begin
      perform semo.send_job_prompt(p_execution, v_job, p_execution.prompt, v_session.id);
    exception when sqlstate 'SO003' or sqlstate 'SO004' or sqlstate 'SO007' then
      perform semo.end_execution(p_execution.id, 'failed', case when sqlstate = 'SO004' then 'refused' else 'died' end, sqlstate, sqlerrm);
    end;
  end if;
end $$;

-- Interrupts an execution whose end is wanted, or whose time is long over though its machine should have stopped it.
-- What nobody has taken is withdrawn; what runs is interrupted, and its command's own end is waited for.
create function semo.press_to_end(p_execution executions, p_command agent_commands)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if p_command.status = 'pending' then
    perform cancel_command(p_command.id);
  elsif p_execution.stopped_at is null and p_command.command_type = 'send_prompt' and p_command.session_id is not null then
    insert into agent_commands (office_id, session_id, command_type, author, execution_id)
    values (p_execution.office_id, p_command.session_id, 'cancel', 'plan:' || p_execution.plan_id, p_execution.id);
    update executions set stopped_at = now() where id = p_execution.id;
  end if;
end $$;

-- When a prompt that was typed is interrupted from here, its machine having let its time pass; null when it is not typed yet.
create function semo.overdue_at(p_command agent_commands)
returns timestamptz language sql stable as $$
  select p_command.typed_at + make_interval(secs => (p_command.payload ->> 'timeout_s')::double precision + 60)
$$;

-- Draws, of executions: pending → running. Takes in what their commands have come to. Returns how many ended or went a step on.
create function semo.take_in_executions(p_office uuid)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
  v_command agent_commands;
  v_count integer := 0;
  v_is_over boolean;
begin
  for v_execution in
    select e.* from executions e join jobs j on j.id = e.job_id
    where e.office_id = p_office and e.status in ('pending', 'running') and j.status = 'running' order by e.seq
  loop
    select * into v_command from agent_commands where id = coalesce(v_execution.command_id, v_execution.session_command_id);
    v_is_over := v_command.session_id is not null and v_command.status = 'pending'
                 and (select ended_at is not null from agent_sessions where id = v_command.session_id);
    if v_is_over or v_execution.kill_wanted_at is not null
       or (v_command.status = 'processing' and semo.overdue_at(v_command) < now()) then
      begin
        perform semo.press_to_end(v_execution, v_command);
      exception when sqlstate 'SO002' or sqlstate 'SO007' then
        null;  -- taken, or ended, at this very moment: the next round sees it
      end;
      select * into v_command from agent_commands where id = v_command.id;
    end if;
    if v_command.id is null then  -- somebody deleted it
      perform semo.end_execution(v_execution.id, 'failed', 'lost', 'lost', 'its command is gone');
    elsif v_command.status = 'pending' then
      continue;
    elsif v_command.status = 'processing' then
      continue when v_execution.status = 'running' or v_execution.command_id is null or v_command.session_id is null;
      update executions set status = 'running', running_at = coalesce(running_at, v_command.claimed_at), session_id = v_command.session_id,
                            client_id = v_command.claimed_by where id = v_execution.id;
      perform semo.tell_of_plan(p_office, 'execution.running', v_execution.plan_id, jsonb_build_object('job_id', v_execution.job_id,
        'execution_id', v_execution.id), v_command.session_id, v_command.id);
    elsif v_is_over and v_command.status = 'cancelled' and v_execution.kill_wanted_at is null then
      perform semo.end_execution(v_execution.id, 'failed', 'died', 'session_ended', 'its session ended before the prompt was typed');
    elsif v_execution.command_id is null then
      perform semo.take_in_session(v_execution, v_command);
    else
      perform semo.take_in_prompt(v_execution, v_command);
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- Lanes whose session has ended at last are free again; jobs whose pause is over may start.
create function semo.wake_what_waited(p_office uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_lane uuid;
  v_due uuid[];
begin
  for v_lane in
    update plan_lanes l set closing = false, session_id = null
    where l.office_id = p_office and l.closing
      and not exists (select 1 from agent_sessions s where s.id = l.session_id and s.ended_at is null)
    returning l.id
  loop
    perform semo.promote_lane(v_lane);
  end loop;
  select array_agg(id) into v_due from jobs
  where office_id = p_office and status = 'waiting' and not_before is not null and not_before <= now();
  if v_due is not null then
    perform semo.promote(v_due);
    -- Their pause is over even where something else still holds them back.
    update jobs set not_before = null where id = any (v_due);
  end if;
  perform semo.free_from_caps(p_office);
end $$;

-- The job that starts next: the first by priority among those of plans and roles that have room; null when there is none.
create function semo.next_job(p_limits job_limits)
returns uuid language sql stable set search_path = public, pg_temp as $$
  select j.id from plans p
  cross join lateral unnest(p.roles) r(role)
  cross join lateral (
    select x.id, x.priority, x.seq from jobs x where x.plan_id = p.id and x.role = r.role and x.status = 'ready' order by x.priority desc, x.seq limit 1) j
  where p.office_id = p_limits.office_id and p.finished_at is null and p.status = 'running'
    and (select count(*) from jobs a where a.office_id = p.office_id and a.plan_id = p.id and a.status in ('running', 'checking')) < p.max_running
    and (not p_limits.roles ? r.role
         or (select count(*) from jobs a where a.office_id = p.office_id and a.role = r.role and a.status in ('running', 'checking'))
            < (p_limits.roles ->> r.role)::integer)
  order by j.priority desc, j.seq limit 1
$$;

-- One round of the scheduler for an office: takes in what has ended, starts what may start. Any number of servers may call it at any
-- time; they take turns. Returns {"moved","started","next_in_s"}: when to come again at the latest; null: only when something moves. Times that
-- come by themselves are the end of a pause, that of a turn which its machine should have stopped, and a new day of caps.
create function run_schedule(p_office uuid)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_limits job_limits := semo.lock_jobs(p_office);
  v_moved integer := semo.take_in_executions(p_office);
  v_started integer := 0;
  v_room integer;
  v_job jobs;
begin
  perform semo.check_jobs(p_office);
  perform semo.wake_what_waited(p_office);
  v_room := v_limits.running - (select count(*) from jobs where office_id = p_office and status in ('running', 'checking'));
  while v_room > 0 loop
    select * into v_job from jobs where id = semo.next_job(v_limits);
    exit when v_job.id is null;
    perform semo.start_job(v_job);
    v_started := v_started + 1;
    v_room := v_limits.running - (select count(*) from jobs where office_id = p_office and status in ('running', 'checking'));
  end loop;
  return jsonb_build_object('moved', v_moved, 'started', v_started, 'next_in_s', extract(epoch from least(
    (select min(not_before) from jobs where office_id = p_office and status = 'waiting' and not_before is not null),
    (select min(semo.overdue_at(c)) from executions e join agent_commands c on c.id = e.command_id
     where e.office_id = p_office and e.status in ('pending', 'running') and e.stopped_at is null and c.status = 'processing'),
    case when exists (select 1 from jobs where office_id = p_office and status = 'blocked' and failure_kind = 'cap')
         then (date_trunc('day', now() at time zone 'utc') + interval '1 day') at time zone 'utc' end) - now()));
end $$;

-- Offices in which a plan has not ended yet.
create function offices_with_plans()
returns setof uuid language sql stable security definer set search_path = public, pg_temp as $$
  select distinct office_id from plans where finished_at is null
$$;

-- The place for conditions: whoever has looked at those of a job in `checking` says what came of it.
-- Draws: checking → done, when they hold; checking → running, with p_prompt typed next in the same session, while rounds are left;
-- checking → blocked, when a cap forbids that turn: it is the first once none does; checking → failed, otherwise. p_round: the round that was looked at (jobs.rounds), so that nobody answers twice.
-- p_findings: what was found, kept in the execution's result as "conditions". Returns what the job is now.
create function finish_check(p_job uuid, p_round integer, p_passed boolean, p_findings jsonb, p_prompt text default null)
returns job_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs := semo.own_job(p_job);
  v_execution executions;
  v_cap jsonb;
begin
  select * into v_execution from executions where id = v_job.execution_id;
  if v_job.status <> 'checking' or v_job.rounds <> p_round then
    perform semo.refuse('SO001', format('job %s is %s in round %s', p_job, v_job.status, v_job.rounds));
  end if;
  update executions set result = coalesce(result, '{}') || jsonb_build_object('conditions', p_findings) where id = v_execution.id;
  perform semo.tell_of_plan(v_job.office_id, 'job.checked', v_job.plan_id, jsonb_build_object('job_id', v_job.id, 'name', v_job.name,
    'execution_id', v_execution.id, 'round', p_round, 'passed', p_passed, 'findings', p_findings));
  v_cap := case when not p_passed and p_prompt is not null and p_round < v_job.max_rounds then semo.held_by_a_cap(v_job) end;
  if p_passed then
    perform semo.end_execution(v_execution.id, 'completed');
  elsif v_cap is not null then
    perform semo.end_execution(v_execution.id, 'failed', 'cap', 'cap_reached', v_cap ->> 'words');
    update jobs set answer = p_prompt, cap = v_cap where id = p_job;
  elsif p_prompt is null or p_round >= v_job.max_rounds
        or v_execution.session_id is null or (select ended_at is not null from agent_sessions where id = v_execution.session_id) then
    perform semo.end_execution(v_execution.id, 'failed', 'conditions', 'conditions',
      format('what must hold does not, after %s of %s rounds', p_round, v_job.max_rounds));
  else
    update jobs set status = 'running', rounds = rounds + 1 where id = p_job;
    perform semo.send_job_prompt(v_execution, v_job, p_prompt, v_execution.session_id);
  end if;
  return (select status from jobs where id = p_job);
end $$;

revoke execute on function run_schedule, offices_with_plans, finish_check from public, anon, authenticated;
grant execute on function run_schedule, offices_with_plans, finish_check to service_role;
