-- Orchestration: plans, the jobs in them, and each attempt at a job. Every way to build a plan ends in these tables.
--
-- A job is one prompt to one role. A lane is one worktree, in which jobs are done strictly one after another; a job without a
-- lane takes any session of its role from the pool. Stages (waves) come one after another. An execution is one attempt at a job.
--
-- Whoever moves a job holds the office's row of job_limits, alone: see semo.lock_jobs.

create type plan_kind as enum ('waves', 'epics', 'graph', 'prompts', 'spec');

create type plan_status as enum (
  'running',    -- its jobs start as soon as nothing holds them back       → paused, done, failed, cancelled
  'paused',     -- nothing more of it starts; what runs goes on            → running, done, failed, cancelled
  'done',       -- every job is done, or was dropped by a person           → running (a job is tried again, or added)
  'failed',     -- no job is left to run, and one failed or was skipped    → running (a job is tried again, or added)
  'cancelled'   -- withdrawn; what ran was interrupted                     final
);

create type job_status as enum (
  'waiting',    -- for jobs or a wave before it, its lane, or a pause between tries → ready, skipped, cancelled
  'ready',      -- only limits are in its way                                       → running, waiting (another goes first), blocked, skipped, cancelled, failed
  'running',    -- one execution of it is pending or running                        → checking, done, waiting (tried again), blocked, failed, cancelled
  'checking',   -- its turn is done, and its conditions are looked at               → done, running (what failed is the next prompt), blocked (a cap), failed, cancelled
  'blocked',    -- a person decides: its agent asked, or a cap is reached           → waiting, cancelled
  'done',       -- its turn said so, and its conditions hold                        final
  'failed',     -- and is not tried again by itself                                 → waiting
  'skipped',    -- something before it failed                                       → waiting
  'cancelled'   -- withdrawn, or dropped by a person                                → waiting
);

create type execution_status as enum (
  'pending',    -- its session is being made, or no machine has taken it yet → running, completed, failed, killed
  'running',    -- a machine has taken the prompt, or its conditions are checked → completed, failed, killed
  'completed',  -- final
  'failed',     -- failure_kind says how                                      final
  'killed'      -- somebody wanted its end                                    final
);

create type failure_policy as enum ('stop', 'continue');  -- what comes after a failure is skipped, or goes on all the same
create type lane_sessions as enum ('kept', 'fresh');      -- one session for all jobs of a lane, or a new one for each

-- How many jobs of an office run at once. The row is also what everybody locks who moves a job of the office.
create table job_limits (
  office_id  uuid primary key references offices on delete cascade,
  running    integer not null default 3 check (running between 1 and 1000),
  roles      jsonb not null default '{}' check (jsonb_typeof(roles) = 'object')  -- {"BE": 2}; roles that are not named have no limit of their own
);

create table plans (
  id              uuid primary key default gen_random_uuid(),
  seq             bigint generated always as identity unique,
  office_id       uuid not null references offices on delete cascade,
  name            text not null check (name ~ '\S' and length(name) <= 200),
  kind            plan_kind not null,
  status          plan_status not null default 'running',
  stage           integer not null default 0,        -- the wave that runs now, from 0
  roles           text[] not null default '{}',      -- of its jobs
  max_running     integer not null default 10 check (max_running between 1 and 1000),
  on_failure      failure_policy not null default 'stop',
  max_tries       integer not null default 4 check (max_tries between 1 and 10),
  retry_kinds     text[] not null default '{timeout,died,lost,overload,quota}' check (retry_kinds <@ '{timeout,died,lost,overload,quota}'),
  backoff_s       numeric[] not null default '{60,120,240}' check (cardinality(backoff_s) between 1 and 10 and 0 <= all (backoff_s)),
  keep_open       boolean not null default false,    -- does not end with its last job: more are to come (close_plan)
  options         jsonb not null default '{}',       -- whatever else its maker keeps with it
  author          text,
  idempotency_key text check (length(idempotency_key) between 1 and 200),
  digest          text,                              -- of what was asked for, so that the same key asks for the same
  created_at      timestamptz not null default now(),
  finished_at     timestamptz,                       -- when its last job was over
  unique (office_id, idempotency_key)
);
create index plans_office on plans (office_id, seq desc);
create index plans_open   on plans (office_id) where finished_at is null;

-- One worktree, {workspace}/{role}/{task} on branch agent/{role}-{task}, on one machine from its first session on.
create table plan_lanes (
  id         uuid primary key default gen_random_uuid(),
  office_id  uuid not null references offices on delete cascade,
  plan_id    uuid not null references plans on delete cascade,
  name       text not null check (name ~ '\S' and length(name) <= 200),
  role       text not null,
  task       text not null,
  agent      text,
  model      text,
  mcp        text,
  resume     text,                                   -- the agent's own conversation that its first session goes on with
  base       text,
  sessions   lane_sessions not null default 'kept',
  on_failure failure_policy not null default 'stop',
  client_id  uuid references remote_clients on delete set null,
  session_id uuid references agent_sessions on delete set null,
  closing    boolean not null default false,         -- its session was told to end, and has not yet
  unique (plan_id, name),
  unique (plan_id, role, task)
);
create index plan_lanes_closing on plan_lanes (office_id) where closing;
create index plan_lanes_session on plan_lanes (session_id) where session_id is not null;

create table jobs (
  id           uuid primary key default gen_random_uuid(),
  seq          bigint generated always as identity unique,
  office_id    uuid not null references offices on delete cascade,
  plan_id      uuid not null references plans on delete cascade,
  lane_id      uuid references plan_lanes on delete cascade,  -- null: any session of its role, from the pool
  name         text not null check (name ~ '\S' and length(name) <= 200),
  role         text not null,
  agent        text,
  client_id    uuid references remote_clients on delete set null,  -- only there; null: on any machine
  prompt       text not null check (prompt ~ '\S' and octet_length(prompt) <= 262144),
  stage        integer not null default 0 check (stage >= 0),
  priority     integer not null default 0 check (priority between -100 and 100),  -- higher goes first
  status       job_status not null default 'waiting',
  unmet        integer not null default 0 check (unmet >= 0),  -- dependencies that are not met yet
  not_before   timestamptz,
  tries        integer not null default 0,                     -- since a person last said "again"
  max_tries    integer check (max_tries between 1 and 10),     -- null: as its plan
  timeout_s    numeric not null default 1800 check (timeout_s between 1 and 86400),
  conditions   jsonb not null default '[]' check (jsonb_typeof(conditions) = 'array'),  -- what must hold before it is done
  rounds       integer not null default 0,                     -- how often what failed of them went back to the agent
  max_rounds   integer not null default 2 check (max_rounds between 0 and 20),
  answer       text,                                           -- typed next, instead of the prompt: what a person answered, or what does not hold
  failure_kind text,
  error        text,
  cap          jsonb,                                          -- the budget that blocked it, as it stood then
  skipped_for  uuid references jobs on delete set null,        -- what failed
  waived       boolean not null default false,                 -- dropped, and the others go on as if it were done
  execution_id uuid,                                           -- the latest
  detail       jsonb not null default '{}',                    -- whatever else its maker keeps with it
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  finished_at  timestamptz,
  unique (plan_id, name)
);
create index jobs_open    on jobs (plan_id, stage) where status in ('waiting', 'ready', 'running', 'checking', 'blocked');
create index jobs_ready   on jobs (plan_id, role, priority desc, seq) where status = 'ready';
create index jobs_active  on jobs (office_id, plan_id, role) where status in ('running', 'checking');
create index jobs_paused  on jobs (office_id, not_before) where status = 'waiting' and not_before is not null;
create index jobs_in_lane on jobs (lane_id, priority desc, seq) where status in ('waiting', 'ready', 'running', 'checking', 'blocked');
create index jobs_held    on jobs (lane_id) where status in ('running', 'checking', 'blocked');
create index jobs_skipped on jobs (skipped_for) where skipped_for is not null;
create index jobs_of_plan on jobs (plan_id, seq);
create index jobs_history on jobs (office_id, seq desc);
create index jobs_words   on jobs using gin (to_tsvector('simple', name || ' ' || prompt));
create index jobs_checking on jobs (office_id) where status = 'checking';

create table job_dependencies (
  job_id        uuid not null references jobs on delete cascade,
  depends_on_id uuid not null references jobs on delete cascade,
  met           boolean not null default false,
  primary key (job_id, depends_on_id)
);
create index job_dependencies_back on job_dependencies (depends_on_id) where not met;

create table executions (
  id                 uuid primary key default gen_random_uuid(),
  seq                bigint generated always as identity unique,
  office_id          uuid not null references offices on delete cascade,
  plan_id            uuid not null references plans on delete cascade,
  job_id             uuid not null references jobs on delete cascade,
  number             integer not null,               -- which attempt at its job this is, from 1
  status             execution_status not null default 'pending',
  prompt             text not null,                  -- what was typed last
  session_command_id uuid references agent_commands on delete set null,  -- the create_session before it, if it needed one
  command_id         uuid references agent_commands on delete set null,  -- its latest send_prompt
  client_id          uuid references remote_clients on delete set null,
  session_id         uuid references agent_sessions on delete set null,
  turn_id            uuid,                           -- its latest turn
  outcome            turn_outcome,
  failure_kind       text,                           -- timeout, died, lost, overload, quota, asked, interrupted, refused, agent, conditions
  error_code         text,
  error              text,
  result             jsonb,                          -- of its latest prompt, as the machine gave it
  kill_wanted_at     timestamptz,
  stopped_at         timestamptz,                    -- when its session was told to interrupt it: somebody's wish, or its time is long over
  created_at         timestamptz not null default clock_timestamp(),
  running_at         timestamptz,
  finished_at        timestamptz,
  unique (job_id, number)
);
create index executions_open   on executions (office_id) where status in ('pending', 'running');
create index executions_office on executions (office_id, seq desc);
create index executions_plan   on executions (plan_id);

alter table jobs add foreign key (execution_id) references executions on delete set null;

-- Which execution a command is for, so that turns, costs and events can be told by execution, job and plan.
alter table agent_commands add column execution_id uuid references executions on delete set null;
create index agent_commands_execution on agent_commands (execution_id) where execution_id is not null;
create index session_events_plan      on session_events ((detail ->> 'plan_id'), id) where detail ? 'plan_id';
create index session_events_execution on session_events ((detail ->> 'execution_id'), id) where detail ? 'execution_id';

-- Prompts with parameters, {{name}} in their text. A version never changes; saving again makes the next one.
create table prompt_templates (
  id         uuid primary key default gen_random_uuid(),
  office_id  uuid not null references offices on delete cascade,
  name       text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  version    integer not null check (version >= 1),
  text       text not null check (text ~ '\S' and octet_length(text) <= 262144),
  parameters jsonb not null default '{}' check (jsonb_typeof(parameters) = 'object'),  -- {"file": null, "style": "short"}; null: must be given
  defaults   jsonb not null default '{}' check (jsonb_typeof(defaults) = 'object'),    -- of the job: role, agent, model, mcp, timeout_s
  author     text,
  created_at timestamptz not null default now(),
  unique (office_id, name, version)
);

alter table job_limits       enable row level security;
alter table plans            enable row level security;
alter table plan_lanes       enable row level security;
alter table jobs             enable row level security;
alter table job_dependencies enable row level security;
alter table executions       enable row level security;
alter table prompt_templates enable row level security;

-- Nobody writes them by hand: every change is a function, and those are for the service.
revoke all on job_limits, plans, plan_lanes, jobs, job_dependencies, executions, prompt_templates from anon, authenticated, service_role;
revoke all on sequence plans_seq_seq, jobs_seq_seq, executions_seq_seq from anon, authenticated, service_role;
grant select on job_limits, plans, plan_lanes, jobs, job_dependencies, executions, prompt_templates to authenticated, service_role;

create policy "members see the limits" on job_limits for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the plans" on plans for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the lanes" on plan_lanes for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the jobs" on jobs for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see what waits for what" on job_dependencies for select to authenticated using (
  exists (select 1 from jobs j where j.id = job_id and semo.has_role(j.office_id, 'viewer')));
create policy "members see the executions" on executions for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see the templates" on prompt_templates for select to authenticated using (semo.has_role(office_id, 'viewer'));
