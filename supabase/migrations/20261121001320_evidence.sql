-- Done on evidence: what must hold before a job is done, and for each of it how it is known. A job that has conditions is `checking`
-- after its turn; the machine looks first, then its pull request, then a person. What fails goes back to the agent as its next prompt.

create type evidence_status as enum (
  'open',   -- asked for: the machine looks, or a person is waited for  → holds, fails, void
  'holds',  -- final
  'fails',  -- final
  'void'    -- its job went on without it                               final
);

create table job_evidence (
  id              uuid primary key default gen_random_uuid(),
  office_id       uuid not null references offices on delete cascade,
  job_id          uuid not null references jobs on delete cascade,
  execution_id    uuid not null references executions on delete cascade,
  round           integer not null,
  place           integer not null,                 -- among the conditions of its job, from 1
  kind            text not null,
  condition       jsonb not null,                   -- as the job names it
  status          evidence_status not null default 'open',
  known_by        text,                             -- exit, timeout, git, host (of the pull request), person; machine: it could not be looked at
  detail          jsonb not null default '{}',
  command_id      uuid references agent_commands on delete set null,
  pull_request_id uuid references pull_requests on delete set null,
  asked_at        timestamptz,                      -- when a person was asked
  answered_by     text,
  created_at      timestamptz not null default now(),
  known_at        timestamptz,
  unique (execution_id, round, place)
);
create index job_evidence_job  on job_evidence (job_id, created_at);
create index job_evidence_open on job_evidence (office_id) where status = 'open';

-- What is wrong with the conditions of a job, in words; null when nothing is. [{"check":NAME}|{"must_change":PATTERN}|
-- {"must_not_change":PATTERN}|{"commit":true}|{"pull_request":true}|{"person":QUESTION}].
create function semo.conditions_problem(p_conditions jsonb)
returns text language plpgsql immutable as $$
declare
  v_one jsonb;
  v_kind text;
  v_value jsonb;
begin
  if jsonb_typeof(p_conditions) <> 'array' or jsonb_array_length(p_conditions) > 50 then
    return 'must be a list of at most 50';
  end if;
  for v_one in select * from jsonb_array_elements(p_conditions) loop
    if jsonb_typeof(v_one) <> 'object' or (select count(*) from jsonb_object_keys(v_one)) <> 1 then
      return 'each must be one of check, must_change, must_not_change, commit, pull_request, person';
    end if;
    select key, value into v_kind, v_value from jsonb_each(v_one);
    if v_kind not in ('check', 'must_change', 'must_not_change', 'commit', 'pull_request', 'person') then
      return format('there is no condition "%s": check, must_change, must_not_change, commit, pull_request, person', v_kind);
    elsif v_kind in ('commit', 'pull_request') then
      if v_value <> 'true' then return format('"%s" is true or is left out', v_kind); end if;
    elsif jsonb_typeof(v_value) <> 'string' or v_value #>> '{}' !~ '\S' then
      return format('"%s" must be a text', v_kind);
    elsif v_kind = 'check' and (v_value #>> '{}' !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' or length(v_value #>> '{}') > 64) then
      return format('"check" is the name of one, not %s', v_value);
    elsif v_kind in ('must_change', 'must_not_change') and (v_value #>> '{}' ~ '[\x01-\x1f\x7f]' or length(v_value #>> '{}') > 200) then
      return format('"%s" is one line of at most 200 characters', v_kind);
    elsif length(v_value #>> '{}') > 2000 then
      return '"person" is a question of at most 2000 characters';
    end if;
  end loop;
  if (select count(distinct c) from jsonb_array_elements(p_conditions) as c where c ? 'check') > 20 then
    return 'may name at most 20 checks';
  end if;
  return null;
end $$;

-- Looks after every job of an office whose conditions are being looked at. Called in each round of the scheduler, which holds the office.
-- Draws: open → void, of jobs that are not checked any more.
create function semo.check_jobs(p_office uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_job jobs;
begin
  for v_job in select * from jobs where office_id = p_office and status = 'checking' order by seq loop
    perform semo.check_job(v_job);
  end loop;
  update job_evidence e set status = 'void', known_at = now()
  where e.office_id = p_office and e.status = 'open'
    and not exists (select 1 from jobs j where j.id = e.job_id and j.status = 'checking' and j.execution_id = e.execution_id and j.rounds = e.round);
end $$;

-- One step for a job in `checking`, as far as it goes now: the machine, then the pull request, then the person; then finish_check.
-- Draws, of evidence: open → void, of what is not looked at any more since something before it fails.
create function semo.check_job(p_job jobs)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_execution executions;
  v_open job_evidence;
begin
  select * into v_execution from executions where id = p_job.execution_id;
  insert into job_evidence (office_id, job_id, execution_id, round, place, kind, condition)
  select p_job.office_id, p_job.id, v_execution.id, p_job.rounds, c.n, (select k from jsonb_object_keys(c.one) as k), c.one
  from jsonb_array_elements(p_job.conditions) with ordinality as c(one, n)
  on conflict do nothing;

  if not semo.checked_by_machine(p_job, v_execution) then
    return;
  end if;
  for v_open in
    select * from job_evidence where execution_id = v_execution.id and round = p_job.rounds and status = 'open' and kind = 'pull_request' order by place
  loop
    if semo.some_evidence_fails(v_execution.id, p_job.rounds) or not semo.checked_by_host(p_job, v_execution, v_open) then exit; end if;
  end loop;
  if semo.some_evidence_fails(v_execution.id, p_job.rounds) then
    update job_evidence set status = 'void', known_at = now() where execution_id = v_execution.id and round = p_job.rounds and status = 'open';
  elsif exists (select 1 from job_evidence where execution_id = v_execution.id and round = p_job.rounds and status = 'open' and kind = 'pull_request') then
    return;
  else
    perform semo.ask_people(p_job, v_execution);
  end if;
  if not exists (select 1 from job_evidence where execution_id = v_execution.id and round = p_job.rounds and status = 'open') then
    perform semo.conclude_check(p_job, v_execution);
  end if;
end $$;

create function semo.some_evidence_fails(p_execution uuid, p_round integer)
returns boolean language sql stable set search_path = public, pg_temp as $$
  select exists (select 1 from job_evidence where execution_id = p_execution and round = p_round and status = 'fails')
$$;

-- Has the machine look at the worktree, and takes in what it says. Draws: open → holds, open → fails. Returns whether it has looked.
-- Also when a person alone is to say yes, so that it is known what the yes is about.
create function semo.checked_by_machine(p_job jobs, p_execution executions)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_command agent_commands;
  v_result agent_command_results;
begin
  select c.* into v_command from job_evidence e join agent_commands c on c.id = e.command_id
  where e.execution_id = p_execution.id and e.round = p_job.rounds limit 1;
  if v_command.id is null then
    if exists (select 1 from job_evidence where execution_id = p_execution.id and round = p_job.rounds and known_by is not null) then
      return true;
    end if;
    begin
      insert into agent_commands (office_id, session_id, command_type, payload, priority, author, execution_id)
      values (p_job.office_id, p_execution.session_id, 'check_work', semo.conditions_for_machine(p_job), p_job.priority, 'plan:' || p_job.plan_id, p_execution.id)
      returning * into v_command;
    exception when sqlstate 'SO003' or sqlstate 'SO004' or sqlstate 'SO007' then
      perform semo.not_looked_at(p_execution.id, p_job.rounds, sqlerrm);
      return true;
    end;
    update job_evidence set command_id = v_command.id where execution_id = p_execution.id and round = p_job.rounds;
    return false;
  elsif v_command.status in ('pending', 'processing') then
    if v_command.status = 'pending' and (select ended_at is not null from agent_sessions where id = v_command.session_id) then
      perform cancel_command(v_command.id);
      perform semo.not_looked_at(p_execution.id, p_job.rounds, 'its session ended before it could be looked at');
      return true;
    end if;
    return false;
  end if;
  select * into v_result from agent_command_results where command_id = v_command.id and attempt = v_command.attempt;
  if not coalesce(v_result.success, false) then
    perform semo.not_looked_at(p_execution.id, p_job.rounds, coalesce(v_result.error, format('its command is %s', v_command.status)));
    return true;
  end if;
  update job_evidence e set status = case when (c ->> 'holds')::boolean then 'holds' else 'fails' end::evidence_status,
         known_by = c ->> 'known_by', detail = c - 'holds' - 'known_by' - 'kind' - 'name' - 'pattern', known_at = now()
  from jsonb_array_elements(v_result.result -> 'conditions') as c
  where e.execution_id = p_execution.id and e.round = p_job.rounds and e.status = 'open' and e.kind = c ->> 'kind'
    and (e.kind = 'commit' or e.condition ->> e.kind = coalesce(c ->> 'name', c ->> 'pattern'));
  update job_evidence set status = 'fails', known_by = 'machine', detail = '{"error": "the machine did not say"}', known_at = now()
  where execution_id = p_execution.id and round = p_job.rounds and status = 'open' and kind in ('check', 'must_change', 'must_not_change', 'commit');
  return true;
end $$;

-- It could not be looked at, which no agent can mend. Draws: open → fails.
create function semo.not_looked_at(p_execution uuid, p_round integer, p_why text)
returns void language sql security definer set search_path = public, pg_temp as $$
  update job_evidence set status = 'fails', known_by = 'machine', detail = jsonb_build_object('error', p_why), known_at = now()
  where execution_id = p_execution and round = p_round and status = 'open'
$$;

-- The payload of check_work. Where the job's work began: before its first commit; without any, where it stands.
create function semo.conditions_for_machine(p_job jobs)
returns jsonb language sql stable set search_path = public, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'checks',          jsonb_agg(distinct c -> 'check') filter (where c ? 'check'),
    'must_change',     jsonb_agg(distinct c -> 'must_change') filter (where c ? 'must_change'),
    'must_not_change', jsonb_agg(distinct c -> 'must_not_change') filter (where c ? 'must_not_change'),
    'commit',          nullif(bool_or(c ? 'commit'), false),
    'since', coalesce((
      select e ->> 'head_before'
      from executions x join agent_commands m on m.execution_id = x.id join session_turns t on t.command_id = m.id
      cross join jsonb_array_elements(t.evidence) as e
      where x.job_id = p_job.id and e ->> 'kind' = 'git' and e ->> 'head_before' is not null
      order by t.started_at limit 1), 'HEAD')))
  from jsonb_array_elements(p_job.conditions) as c
$$;

-- Has a pull request opened for the branch of a job, and takes in how it stands. Draws: open → holds, open → fails. Returns whether it is known.
create function semo.checked_by_host(p_job jobs, p_execution executions, p_evidence job_evidence)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row pull_requests;
begin
  if p_evidence.pull_request_id is null then
    begin
      update job_evidence set pull_request_id = (open_pull_request(p_job.office_id, 'plan:' || p_job.plan_id, p_execution.session_id,
               p_title => left(p_job.name, 150), p_job => p_job.id) ->> 'id')::uuid
      where id = p_evidence.id;
      return false;
    exception when sqlstate 'SO002' or sqlstate 'SO003' or sqlstate 'SO004' then
      perform semo.not_looked_at(p_execution.id, p_job.rounds, sqlerrm);
      return true;
    end;
  end if;
  select * into v_row from pull_requests where id = p_evidence.pull_request_id;
  if v_row.state in ('publishing', 'merging') then
    return false;
  end if;
  update job_evidence set known_by = 'host', known_at = now(),
         status = case when v_row.state in ('open', 'merged', 'conflict') then 'holds' else 'fails' end::evidence_status,
         detail = jsonb_strip_nulls(jsonb_build_object('state', v_row.state, 'url', v_row.url, 'number', v_row.number, 'branch', v_row.branch,
           'error', case when v_row.state not in ('open', 'merged', 'conflict') then coalesce(v_row.problem, v_row.missing, 'it is ' || v_row.state) end))
  where id = p_evidence.id;
  return true;
end $$;

-- Asks people, once all else holds. Whoever may, answers with answer_evidence.
create function semo.ask_people(p_job jobs, p_execution executions)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_asked job_evidence;
begin
  for v_asked in
    update job_evidence set asked_at = now()
    where execution_id = p_execution.id and round = p_job.rounds and kind = 'person' and status = 'open' and asked_at is null returning *
  loop
    perform semo.tell(p_job.office_id, 'evidence.asked', jsonb_build_object('evidence_id', v_asked.id, 'plan_id', p_job.plan_id, 'job_id', p_job.id,
      'name', p_job.name, 'question', v_asked.condition ->> 'person'), p_execution.session_id);
  end loop;
end $$;

-- A person says yes or no. Draws: open → holds, open → fails. The same answer again changes nothing.
create function answer_evidence(p_office uuid, p_evidence uuid, p_yes boolean, p_author text, p_comment text default null)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_row job_evidence;
  v_wanted evidence_status := case when p_yes then 'holds' else 'fails' end;
begin
  perform semo.lock_jobs(p_office);
  select * into v_row from job_evidence where id = p_evidence and office_id = p_office for update;
  if v_row.id is null then
    perform semo.refuse('SO003', format('there is no evidence %s in office %s', p_evidence, p_office), 'GET …/evidence lists what people are asked');
  elsif v_row.kind <> 'person' then
    perform semo.refuse('SO004', format('"%s" is known by looking; only a person''s yes can be given', v_row.kind), 'GET …/evidence lists what people are asked');
  elsif v_row.status = v_wanted and v_row.answered_by is not null then
    return to_jsonb(v_row);
  elsif v_row.status <> 'open' or v_row.asked_at is null then
    perform semo.refuse('SO002', case when v_row.status = 'open' then 'nobody is asked yet: what machines can tell comes first'
                                      else format('it was answered already, or its job went on: %s', v_row.status) end,
                        'GET …/evidence lists what people are asked now');
  end if;
  update job_evidence set status = v_wanted, known_by = 'person', answered_by = p_author, known_at = now(),
         detail = jsonb_strip_nulls(jsonb_build_object('comment', p_comment))
  where id = v_row.id returning * into v_row;
  perform semo.tell(p_office, 'evidence.answered', jsonb_build_object('evidence_id', v_row.id, 'job_id', v_row.job_id, 'yes', p_yes, 'by', p_author));
  perform semo.check_jobs(p_office);
  perform semo.wake_schedulers(p_office);
  return to_jsonb(v_row);
end $$;

-- Every condition is known: the job is done, goes back to its agent, or has failed.
create function semo.conclude_check(p_job jobs, p_execution executions)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_passed boolean := not semo.some_evidence_fails(p_execution.id, p_job.rounds);
  v_mendable boolean;
  v_findings jsonb;
begin
  select jsonb_agg(jsonb_build_object('evidence_id', id, 'condition', condition, 'status', status, 'known_by', known_by, 'detail', detail) order by place),
         coalesce(bool_and(known_by is distinct from 'machine' and not (known_by = 'host' and detail ->> 'state' = 'pushed' and status = 'fails')), true)
  into v_findings, v_mendable from job_evidence where execution_id = p_execution.id and round = p_job.rounds;
  perform finish_check(p_job.id, p_job.rounds, v_passed, v_findings,
                       case when not v_passed and v_mendable then semo.what_failed(p_job, p_execution) end);
end $$;

-- What goes back to the agent: each thing that does not hold, exactly. An agent that takes scripts gets it as comments before its own prompt.
create function semo.what_failed(p_job jobs, p_execution executions)
returns text language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_words text;
  v_count integer;
  v_scripts boolean;
begin
  select count(*), string_agg(row_number || '. ' || words, E'\n') into v_count, v_words from (
    select row_number() over (order by e.place), case e.kind
      when 'check' then format(E'The check "%s" %s.%s', e.condition ->> 'check',
        case when e.known_by = 'timeout' then format('did not end within %s s', e.detail ->> 'timeout_s')
             when e.detail ? 'signal' then format('was ended by %s', e.detail ->> 'signal')
             else format('failed with status %s', e.detail ->> 'status') end,
        case when coalesce(e.detail ->> 'tail', '') <> '' then format(E' The end of what it put out:\n%s', e.detail ->> 'tail') else ' It put nothing out.' end)
      when 'must_change' then format('No file that matches "%s" was changed.', e.condition ->> 'must_change')
      when 'must_not_change' then format('What matches "%s" must not be changed, and was: %s.', e.condition ->> 'must_not_change', semo.listed(e.detail -> 'files'))
      when 'commit' then case when (e.detail ->> 'commits')::integer = 0 then 'Nothing was committed.'
                              else format('Not everything is committed: %s.', semo.listed(e.detail -> 'uncommitted')) end
      when 'pull_request' then format('The branch could not be published: %s.', e.detail ->> 'error')
      else format('%s does not agree. Asked: %s%s', e.answered_by, e.condition ->> 'person', coalesce(E'\n' || (e.detail ->> 'comment'), '')) end as words
    from job_evidence e where e.execution_id = p_execution.id and e.round = p_job.rounds and e.status = 'fails') f;
  v_words := format(E'This is not done yet. %s\n\n%s\n\nMend it, then say that it is done as before.',
    case v_count when 1 then 'One thing that must hold does not:' else format('%s things that must hold do not:', v_count) end, v_words);
  select coalesce((r.result ->> 'takes_scripts')::boolean, false) into v_scripts
  from job_evidence e join agent_command_results r on r.command_id = e.command_id
  where e.execution_id = p_execution.id and e.round = p_job.rounds limit 1;
  if v_scripts then
    v_words := (select string_agg('# ' || line, E'\n' order by n) from regexp_split_to_table(v_words, E'\r?\n') with ordinality as l(line, n))
               || E'\n' || p_job.prompt;
  end if;
  return v_words;
end $$;

create function semo.listed(p_files jsonb)
returns text language sql immutable as $$
  select string_agg(f, ', ') || case when jsonb_array_length(p_files) > 20 then format(' and %s more', jsonb_array_length(p_files) - 20) else '' end
  from (select f from jsonb_array_elements_text(p_files) as f limit 20) s
$$;

-- The evidence of a job, round by round; or, without one, all that people are asked in an office now.
create function office_evidence(p_office uuid, p_job uuid default null)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  if not exists (select 1 from offices where id = p_office) or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office), 'GET /api/offices lists those that you may see');
  elsif p_job is not null and not exists (select 1 from jobs where id = p_job and office_id = p_office) then
    perform semo.refuse('SO003', format('there is no job %s in office %s', p_job, p_office), 'GET …/jobs lists them');
  end if;
  return (select coalesce(jsonb_agg(to_jsonb(e) || jsonb_build_object('job', j.name, 'plan_id', j.plan_id) order by x.number, e.round, e.place), '[]')
    from job_evidence e join jobs j on j.id = e.job_id join executions x on x.id = e.execution_id
    where e.office_id = p_office and (e.job_id = p_job or (p_job is null and e.status = 'open' and e.asked_at is not null)));
end $$;

alter table job_evidence enable row level security;
revoke all on job_evidence from anon, authenticated, service_role;
grant select on job_evidence to authenticated, service_role;
create policy "members see the evidence" on job_evidence for select to authenticated using (semo.has_role(office_id, 'viewer'));

revoke execute on function semo.conditions_problem, semo.check_jobs, semo.check_job, semo.some_evidence_fails, semo.checked_by_machine, semo.not_looked_at,
  semo.conditions_for_machine, semo.checked_by_host, semo.ask_people, semo.conclude_check, semo.what_failed, semo.listed from public;
revoke execute on function answer_evidence from public, anon, authenticated;
revoke execute on function office_evidence from public, anon;
grant execute on function answer_evidence to service_role;
grant execute on function office_evidence to authenticated, service_role;
