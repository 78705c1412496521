-- Plans are made whole or not at all, and jobs are added to them the same way.

-- Names of jobs that wait for each other in a circle, the first one again at the end; null when none do. A job waits for what it depends
-- on, and for those before it in its lane. Jobs that are over wait for nothing.
create function semo.cycle_in(p_plan uuid)
returns text[] language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_names text[];
  v_seqs bigint[];
  v_ids uuid[];
  v_before integer[];   -- of each edge: who goes first
  v_after integer[];    -- and who waits; in the order of v_before
  v_first integer[];    -- of each job: where its edges begin in the two
  v_waits_for integer[];
  v_queue integer[] := '{}';
  v_seen integer[];
  v_jobs integer;
  v_edges integer;
  v_done integer := 0;
  v_at integer;
  v_cycle text[];
  i integer;
begin
  -- Jobs are numbered by their place among the seqs: found by halving, whatever the planner thinks of tables that are new.
  select array_agg(name order by seq), array_agg(seq order by seq), array_agg(id) into v_names, v_seqs, v_ids from jobs
  where plan_id = p_plan and status in ('waiting', 'ready', 'running', 'checking', 'blocked');
  select count(*), array_agg(e.before order by e.before), array_agg(e.after order by e.before) into v_edges, v_before, v_after from (
    select width_bucket(x.before, v_seqs) as before, width_bucket(x.after, v_seqs) as after
    from (select (select b.seq from jobs b where b.id = d.depends_on_id and semo.is_open(b.status)) as before,
                 (select a.seq from jobs a where a.id = d.job_id) as after
          from job_dependencies d where d.job_id = any (v_ids) and not d.met) x
    where x.before is not null
    union all
    select width_bucket(l.before, v_seqs), width_bucket(l.seq, v_seqs) from (
      select seq, lag(seq) over (partition by lane_id order by priority desc, seq) as before from jobs
      where plan_id = p_plan and lane_id is not null and status in ('waiting', 'ready', 'running', 'checking', 'blocked')) l
    where l.before is not null) e;
  v_jobs := coalesce(cardinality(v_names), 0);
  if v_edges = 0 then
    return null;
  end if;

  v_waits_for := array_fill(0, array[v_jobs]);
  v_first := array_fill(0, array[v_jobs]);
  for i in 1 .. v_edges loop
    v_waits_for[v_after[i]] := v_waits_for[v_after[i]] + 1;
    if v_first[v_before[i]] = 0 then v_first[v_before[i]] := i; end if;
  end loop;
  v_queue := array_fill(0, array[v_jobs]);
  v_at := 0;
  for i in 1 .. v_jobs loop
    if v_waits_for[i] = 0 then
      v_at := v_at + 1;
      v_queue[v_at] := i;
    end if;
  end loop;
  while v_done < v_at loop
    v_done := v_done + 1;
    i := v_first[v_queue[v_done]];
    while i > 0 and i <= v_edges and v_before[i] = v_queue[v_done] loop
      v_waits_for[v_after[i]] := v_waits_for[v_after[i]] - 1;
      if v_waits_for[v_after[i]] = 0 then
        v_at := v_at + 1;
        v_queue[v_at] := v_after[i];
      end if;
      i := i + 1;
    end loop;
  end loop;
  if v_done = v_jobs then
    return null;
  end if;

  -- Everybody left waits for somebody left: whoever is followed back from any of them long enough comes round.
  v_seen := array_fill(0, array[v_jobs]);  -- now: for each one left, one that it waits for
  for i in 1 .. v_edges loop
    if v_waits_for[v_before[i]] > 0 and v_waits_for[v_after[i]] > 0 then v_seen[v_after[i]] := v_before[i]; end if;
  end loop;
  select g into v_at from generate_series(1, v_jobs) g where v_waits_for[g] > 0 order by g limit 1;
  for i in 1 .. v_jobs loop v_at := v_seen[v_at]; end loop;
  v_cycle := array[v_names[v_at]];
  i := v_seen[v_at];
  while i <> v_at loop
    v_cycle := v_cycle || v_names[i];
    i := v_seen[i];
  end loop;
  return v_cycle || v_names[v_at];
end $$;

-- Draws: (insert) → waiting; waiting → ready; ready → waiting, when a new job goes before it in its lane.
-- Puts lanes and jobs into a plan: see create_plan. Returns the ids of the jobs, in their order. The caller holds the office.
create function semo.put_jobs(p_plan plans, p_lanes jsonb, p_jobs jsonb)
returns uuid[] language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_bad record;
  v_made uuid[];
  v_known jsonb;  -- the names of its lanes, then of its jobs: looked up without asking a planner that knows nothing of new rows
  v_cycle text[];
begin
  if jsonb_typeof(p_lanes) <> 'array' or jsonb_typeof(p_jobs) <> 'array' then
    perform semo.refuse('SO004', '"lanes" and "jobs" must be lists');
  end if;
  if jsonb_array_length(p_jobs) + (select count(*) from jobs where plan_id = p_plan.id) > 10000 then
    perform semo.refuse('SO004', format('jobs: a plan takes at most 10000 of them; these would be %s',
      jsonb_array_length(p_jobs) + (select count(*) from jobs where plan_id = p_plan.id)), 'make several plans of them');
  end if;

  select x.words into v_bad from (
    select n, format('%s[%s].%s: is missing', x.part, n - 1, f) as words
    from (values ('lanes', p_lanes, '{name,task}'::text[]), ('jobs', p_jobs, '{name,prompt}')) as x(part, list, fields),
         jsonb_array_elements(x.list) with ordinality as l(e, n), unnest(x.fields) f
    where coalesce(e ->> f, '') = ''
    union all
    select n, format('%s[%s].name: "%s" is there twice', x.part, n - 1, e ->> 'name')
    from (values ('lanes', p_lanes), ('jobs', p_jobs)) as x(part, list),
         lateral (select e, n, row_number() over (partition by e ->> 'name' order by n) as nth from jsonb_array_elements(x.list) with ordinality as l(e, n)) l
    where l.nth > 1
       or (x.part = 'jobs' and exists (select 1 from jobs j where j.plan_id = p_plan.id and j.name = e ->> 'name'))
       or (x.part = 'lanes' and exists (select 1 from plan_lanes j where j.plan_id = p_plan.id and j.name = e ->> 'name'))) x
  order by n limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;

  select x.place, x.role into v_bad from (
    select format('lanes[%s].role', n - 1) as place, e ->> 'role' as role from jsonb_array_elements(p_lanes) with ordinality as l(e, n)
    union all
    select format('jobs[%s].role', n - 1), e ->> 'role' from jsonb_array_elements(p_jobs) with ordinality as j(e, n) where e ->> 'lane' is null) x
  where x.role is null or not exists (
    select 1 from agent_personas p where (p.office_id = p_plan.office_id or p.office_id is null) and lower(p.role) = lower(x.role)) limit 1;
  if v_bad.place is not null then
    perform semo.refuse('SO004', case when v_bad.role is null then v_bad.place || ': is missing' else format('%s: unknown role "%s"', v_bad.place, v_bad.role) end, (
      select 'this office has ' || string_agg(distinct role, ', ') from agent_personas where office_id = p_plan.office_id or office_id is null));
  end if;

  select format('%s[%s].client: no machine %s serves this office', x.part, n - 1, e ->> 'client') as words into v_bad
  from (values ('lanes', p_lanes), ('jobs', p_jobs)) as x(part, list), jsonb_array_elements(x.list) with ordinality as l(e, n)
  where e ->> 'client' is not null and not exists (
    select 1 from client_offices o join remote_clients c on c.id = o.client_id
    where o.office_id = p_plan.office_id and o.client_id::text = e ->> 'client' and c.revoked_at is null) limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;

  insert into plan_lanes (office_id, plan_id, name, role, task, agent, model, mcp, resume, base, sessions, on_failure, client_id)
  select p_plan.office_id, p_plan.id, l.name, (semo.persona_of(p_plan.office_id, l.role)).role, l.task, l.agent, l.model, l.mcp, l.resume, l.base,
         coalesce(l.sessions, 'kept'), coalesce(l.on_failure, p_plan.on_failure), l.client
  from jsonb_to_recordset(p_lanes) as l(name text, role text, task text, agent text, model text, mcp text, resume text, base text,
                                        sessions lane_sessions, on_failure failure_policy, client uuid);

  select jsonb_object_agg(name, true) into v_known from plan_lanes where plan_id = p_plan.id;
  select format('jobs[%s].lane: there is no lane "%s"', n - 1, e ->> 'lane') as words into v_bad
  from jsonb_array_elements(p_jobs) with ordinality as j(e, n)
  where e ->> 'lane' is not null and not coalesce(v_known ? (e ->> 'lane'), false) limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;

  select format('jobs[%s].conditions: need a lane, since the session must still be there when they are checked', n - 1) as words into v_bad
  from jsonb_array_elements(p_jobs) with ordinality as j(e, n)
  where coalesce(e -> 'conditions', '[]') <> '[]' and e ->> 'lane' is null limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;
  select format('jobs[%s].conditions: %s', n - 1, semo.conditions_problem(e -> 'conditions')) as words into v_bad
  from jsonb_array_elements(p_jobs) with ordinality as j(e, n)
  where coalesce(e -> 'conditions', 'null') <> 'null' and semo.conditions_problem(e -> 'conditions') is not null limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;

  with roles as materialized (
    select r.role as asked, (semo.persona_of(p_plan.office_id, r.role)).role as role
    from (select distinct e ->> 'role' as role from jsonb_array_elements(p_jobs) e) r where r.role is not null),
  put as (
    insert into jobs (id, office_id, plan_id, lane_id, name, role, agent, prompt, stage, priority, timeout_s, max_tries, conditions, max_rounds, detail, client_id)
    select gen_random_uuid(), p_plan.office_id, p_plan.id, l.id, j.e ->> 'name', coalesce(l.role, r.role), coalesce(l.agent, j.e ->> 'agent'), j.e ->> 'prompt',
           coalesce((j.e ->> 'stage')::integer, 0), coalesce((j.e ->> 'priority')::integer, 0), coalesce((j.e ->> 'timeout_s')::numeric, 1800),
           (j.e ->> 'max_tries')::integer, coalesce(j.e -> 'conditions', '[]'), coalesce((j.e ->> 'max_rounds')::integer, 2), coalesce(j.e -> 'detail', '{}'),
           coalesce(l.client_id, (j.e ->> 'client')::uuid)
    from jsonb_array_elements(p_jobs) with ordinality as j(e, n)
    left join plan_lanes l on l.plan_id = p_plan.id and l.name = j.e ->> 'lane'
    left join roles r on r.asked = j.e ->> 'role'
    order by j.n returning id, seq)
  select array_agg(id order by seq) into v_made from put;

  select jsonb_object_agg(name, true) into v_known from jobs where plan_id = p_plan.id;
  select format('jobs[%s].depends_on: there is no job "%s"', n - 1, d) as words into v_bad
  from jsonb_array_elements(p_jobs) with ordinality as j(e, n), jsonb_array_elements_text(coalesce(j.e -> 'depends_on', '[]')) as d
  where not v_known ? d limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;

  -- What is done is met already; so is what ended otherwise, in a plan that goes on after failures.
  insert into job_dependencies (job_id, depends_on_id, met)
  select distinct v_made[j.n], o.id, o.status = 'done' or (p_plan.on_failure = 'continue' and not semo.is_open(o.status))
  from jsonb_array_elements(p_jobs) with ordinality as j(e, n), jsonb_array_elements_text(coalesce(j.e -> 'depends_on', '[]')) as d
  join jobs o on o.plan_id = p_plan.id and o.name = d;
  update jobs j set unmet = c.how_many
  from (select job_id, count(*)::integer as how_many from job_dependencies where job_id = any (v_made) and not met group by 1) c
  where j.id = c.job_id;

  select format('job "%s" is in stage %s and depends on "%s" of the later stage %s', (x.a).name, (x.a).stage, (x.b).name, (x.b).stage) as words into v_bad
  from (select (select j from jobs j where j.id = d.job_id) as a, (select j from jobs j where j.id = d.depends_on_id) as b
        from job_dependencies d where d.job_id = any (v_made)) x
  where (x.b).stage > (x.a).stage limit 1;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words); end if;
  select format('lane "%s" has jobs in several stages', l.name) as words into v_bad
  from (select lane_id from jobs where plan_id = p_plan.id and lane_id is not null group by lane_id having min(stage) <> max(stage) limit 1) several
  join plan_lanes l on l.id = several.lane_id;
  if v_bad.words is not null then perform semo.refuse('SO004', v_bad.words, 'give each stage lanes of its own'); end if;
  v_cycle := semo.cycle_in(p_plan.id);
  if v_cycle is not null then
    perform semo.refuse('SO004', 'these jobs wait for each other in a circle: ' || array_to_string(v_cycle, ' → '),
                        'a job waits for what it depends on, and for those before it in its lane');
  end if;

  update plans set roles = array(select distinct j.role from jobs j where j.plan_id = p_plan.id) where id = p_plan.id;
  update jobs set status = 'waiting'
  where status = 'ready' and lane_id in (select lane_id from jobs where id = any (v_made)) and id <> semo.lane_head(lane_id);
  perform semo.promote(v_made);
  return v_made;
end $$;

-- Draws: (insert) → waiting, of jobs; waiting → ready, of those that may start. All of it, or nothing.
-- p_plan: {"name","kind","max_running"?,"on_failure"?,"max_tries"?,"retry_kinds"?,"backoff_s"?,"keep_open"?,"options"?,
--   "lanes":[{"name","role","task","agent"?,"model"?,"mcp"?,"resume"?,"base"?,"client"?,"sessions"?,"on_failure"?}],
--   "jobs":[{"name","prompt","lane"?|"role","agent"?,"client"?,"depends_on":[names]?,"stage"?,"priority"?,"timeout_s"?,"max_tries"?,
--            "conditions"?,"max_rounds"?,"detail"?}]}
-- p_key, p_digest: asking again with the same key gives the same plan, if what is asked for has the same digest.
create function create_plan(p_office uuid, p_plan jsonb, p_author text, p_key text default null, p_digest text default null)
returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans;
begin
  perform semo.lock_jobs(p_office);
  if p_key is not null then
    select * into v_plan from plans where office_id = p_office and idempotency_key = p_key;
    if v_plan.id is not null then
      if v_plan.digest is distinct from p_digest then
        perform semo.refuse('SO002', 'this Idempotency-Key was used before, for another plan', 'use a new key for each new request');
      end if;
      return v_plan.id;
    end if;
  end if;
  if jsonb_array_length(coalesce(p_plan -> 'jobs', '[]')) = 0 and not coalesce((p_plan ->> 'keep_open')::boolean, false) then
    perform semo.refuse('SO004', 'jobs: a plan needs at least one');
  end if;
  insert into plans (office_id, name, kind, max_running, on_failure, max_tries, retry_kinds, backoff_s, keep_open, options, author, idempotency_key,
                     digest, stage)
  select p_office, p.name, p.kind, coalesce(p.max_running, 10), coalesce(p.on_failure, 'stop'), coalesce(p.max_tries, 4),
         coalesce(p.retry_kinds, '{timeout,died,lost,overload,quota}'), coalesce(p.backoff_s, '{60,120,240}'), coalesce(p.keep_open, false),
         coalesce(p.options, '{}'), p_author, p_key, p_digest,
         coalesce((select min(coalesce((e ->> 'stage')::integer, 0)) from jsonb_array_elements(p_plan -> 'jobs') e), 0)
  from jsonb_to_record(p_plan) as p(name text, kind plan_kind, max_running integer, on_failure failure_policy, max_tries integer,
                                    retry_kinds text[], backoff_s numeric[], keep_open boolean, options jsonb)
  returning * into v_plan;
  perform semo.wake_schedulers(p_office);
  perform semo.put_jobs(v_plan, coalesce(p_plan -> 'lanes', '[]'), coalesce(p_plan -> 'jobs', '[]'));
  perform semo.tell_of_plan(p_office, 'plan.created', v_plan.id, jsonb_build_object('name', v_plan.name, 'kind', v_plan.kind, 'author', p_author,
    'jobs', jsonb_array_length(coalesce(p_plan -> 'jobs', '[]'))));
  return v_plan.id;
end $$;

-- Puts further jobs into a plan; they may depend on those that are there, and use its lanes or bring their own.
-- Draws, of plans: done → running, failed → running. Returns the ids of the jobs, in their order; with the same p_key, those of before.
create function add_jobs(p_plan uuid, p_jobs jsonb, p_lanes jsonb default '[]', p_key text default null, p_digest text default null)
returns uuid[] language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_plan plans := semo.own_plan(p_plan);
  v_before jsonb := semo.made_before(v_plan.office_id, 'jobs ' || p_plan, p_key, p_digest);
  v_made uuid[];
begin
  if v_before is not null then
    return array(select jsonb_array_elements_text(v_before)::uuid);
  elsif v_plan.status = 'cancelled' then
    perform semo.refuse('SO002', format('plan %s was cancelled and takes no more jobs', p_plan));
  end if;
  update plans set status = case when status in ('done', 'failed') then 'running' else status end, finished_at = null
  where id = p_plan returning * into v_plan;
  v_made := semo.put_jobs(v_plan, p_lanes, p_jobs);
  perform semo.keep_made(v_plan.office_id, 'jobs ' || p_plan, p_key, to_jsonb(v_made));
  perform semo.tell_of_plan(v_plan.office_id, 'plan.jobs_added', p_plan, jsonb_build_object('jobs', cardinality(v_made)));
  perform semo.next_stage(p_plan);
  return v_made;
end $$;

-- No more jobs are to come: a plan that was kept open ends with the last that it has.
create function close_plan(p_plan uuid)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_plan(p_plan);
  update plans set keep_open = false where id = p_plan;
  perform semo.next_stage(p_plan);
end $$;

-- Saves a template as its next version; the same content again is the version that there is. Returns the version.
create function save_template(p_office uuid, p_name text, p_text text, p_parameters jsonb, p_defaults jsonb, p_author text)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_last prompt_templates;
begin
  perform semo.lock_jobs(p_office);
  select * into v_last from prompt_templates where office_id = p_office and name = p_name order by version desc limit 1;
  if (v_last.text, v_last.parameters, v_last.defaults) is not distinct from (p_text, p_parameters, p_defaults) then
    return v_last.version;
  end if;
  insert into prompt_templates (office_id, name, version, text, parameters, defaults, author)
  values (p_office, p_name, coalesce(v_last.version, 0) + 1, p_text, p_parameters, p_defaults, p_author);
  perform semo.tell(p_office, 'template.saved', jsonb_build_object('name', p_name, 'version', coalesce(v_last.version, 0) + 1, 'by', p_author));
  return coalesce(v_last.version, 0) + 1;
end $$;

revoke execute on function create_plan, add_jobs, close_plan, save_template from public, anon, authenticated;
grant execute on function create_plan, add_jobs, close_plan, save_template to service_role;
