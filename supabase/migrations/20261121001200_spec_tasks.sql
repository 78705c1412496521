-- Spec tasks: documents that an agent writes and a person approves, then work sessions until all of it is done.

create type spec_task_status as enum (
  'backlog',         -- written down; nobody works on it              → planning, cancelled
  'planning',        -- an agent writes the documents                 → review, planning (again, with what was wrong), failed, cancelled
  'review',          -- a person reads the newest version             → planning (sent back), implementation (approved), cancelled
  'implementation',  -- work sessions work through tasks.md           → done, failed, cancelled
  'done',            -- every work session is done and merged         final
  'failed',          -- it cannot go on by itself; `problem` says why → planning, implementation (both: retried), cancelled
  'cancelled'        -- withdrawn by a person; its branch stays       final
);

create type spec_session_status as enum (
  'waiting',    -- for others of its task, or for its job            → running, cancelled
  'running',    -- its job runs                                       → merging, failed, cancelled
  'merging',    -- its branch goes into the task's branch             → done, waiting (it conflicts: tried again), failed, cancelled
  'done',       -- its work is on the task's branch                   final
  'failed',     -- `problem` says why                                 → waiting (retried), cancelled
  'cancelled'   -- withdrawn                                          final
);

create type spec_session_kind as enum ('planning', 'work', 'spawned');

create table spec_tasks (
  id                uuid primary key default gen_random_uuid(),
  office_id         uuid not null references offices on delete cascade,
  name              text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,39}$'),  -- of its folder .semo/specs/{name} and its branch spec/{name}
  title             text not null check (title ~ '\S' and length(title) <= 300),
  description       text not null default '' check (octet_length(description) <= 65536),
  status            spec_task_status not null default 'backlog',
  problem           text,                          -- why it failed
  planning_role     text not null,
  work_role         text not null,                 -- of items of tasks.md that name none
  agent             text,
  model             text,
  mcp               text,
  base              text,                          -- what its branch begins at; null: the machine's default
  single_session    boolean not null default false,  -- one work session does all of tasks.md
  planning_template text check (octet_length(planning_template) between 1 and 65536),  -- null: the office's own words
  work_template     text check (octet_length(work_template) between 1 and 65536),
  session_seconds   integer not null default 1800 check (session_seconds between 1 and 86400),
  max_spawned       integer not null default 10 check (max_spawned between 0 and 100),  -- work sessions that agents may add
  max_depth         integer not null default 2 check (max_depth between 0 and 5),       -- 1: only planned sessions may add some
  client_id         uuid references remote_clients on delete set null,  -- the machine that has its branch
  plan_id           uuid,
  round             integer not null default 0,    -- how often planning began
  unread_in_a_row   integer not null default 0,    -- rounds that ended without documents that could be reviewed
  version           integer not null default 0,    -- the newest
  approved_version  integer,
  spawned           integer not null default 0,
  last_event        bigint not null default 0,     -- its newest coordination event
  written_event     bigint not null default 0,     -- up to which its history is on its branch
  writing_event     bigint,                        -- up to which it is being written there; one writing at a time, so that none undoes a later one
  author            text not null,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  ended_at          timestamptz,
  unique (office_id, name)
);
create index spec_tasks_office on spec_tasks (office_id, created_at desc);
create index spec_tasks_moving on spec_tasks (id) where status in ('planning', 'implementation') or written_event < last_event;

-- Every version stays, with its text.
create table spec_versions (
  spec_task_id uuid not null references spec_tasks on delete cascade,
  version      integer not null check (version > 0),
  commit       text not null,
  documents    jsonb not null check (jsonb_typeof(documents) = 'object'),  -- {"tasks.md":"…"}
  units        jsonb not null,   -- [{"key","title","body","role"?,"depends_on":[…]}], what tasks.md asks for
  created_at   timestamptz not null default now(),
  verdict      text check (verdict in ('approved', 'sent_back')),
  decided_by   text,
  decided_at   timestamptz,
  primary key (spec_task_id, version)
);

create table spec_comments (
  id           bigint generated always as identity primary key,
  spec_task_id uuid not null references spec_tasks on delete cascade,
  version      integer not null,           -- 0: on documents that never became one
  document     text check (length(document) <= 160),
  line         integer check (line > 0),
  text         text not null check (text ~ '\S' and octet_length(text) <= 16384),
  author       text not null,
  round        integer not null,           -- the round of planning after which it was made
  at           timestamptz not null default now()
);
create index spec_comments_task on spec_comments (spec_task_id, id);

create table spec_sessions (
  id            uuid primary key default gen_random_uuid(),
  spec_task_id  uuid not null references spec_tasks on delete cascade,
  kind          spec_session_kind not null,
  label         text not null,             -- "planning-1", "1.2", "s3", "all": how people and agents call it
  title         text not null,
  body          text not null default '',
  role          text not null,
  depends_on    text[] not null default '{}',  -- labels
  parent_id     uuid references spec_sessions on delete cascade,  -- who added it
  depth         integer not null default 0,
  status        spec_session_status not null default 'waiting',
  tries         integer not null default 1,
  conflicts     text[] not null default '{}',  -- files that kept its branch from being merged
  problem       text,
  job_id        uuid,
  session_id    uuid references agent_sessions on delete set null,
  worktree_task text not null,
  branch        text,
  commit        text,                      -- of the task's branch, with its work in it
  progress      text,
  percent       integer check (percent between 0 and 100),
  messages_read bigint not null default 0,
  created_at    timestamptz not null default now(),
  started_at    timestamptz,
  ended_at      timestamptz,
  unique (spec_task_id, label)
);
create index spec_sessions_session on spec_sessions (session_id) where session_id is not null;
create index spec_sessions_job on spec_sessions (job_id) where job_id is not null;

create table coordination_events (
  id              bigint generated always as identity primary key,
  office_id       uuid not null references offices on delete cascade,
  spec_task_id    uuid not null references spec_tasks on delete cascade,
  spec_session_id uuid references spec_sessions on delete cascade,
  kind            text not null,
  detail          jsonb not null default '{}',
  author          text not null,
  at              timestamptz not null default now()
);
create index coordination_events_task on coordination_events (spec_task_id, id);
create index coordination_events_office on coordination_events (office_id, id);

create table spec_messages (
  id           bigint generated always as identity primary key,
  spec_task_id uuid not null references spec_tasks on delete cascade,
  from_session uuid references spec_sessions on delete cascade,  -- null: a person
  to_session   uuid references spec_sessions on delete cascade,  -- null: all of the task
  text         text not null check (text ~ '\S' and octet_length(text) <= 8192),
  author       text not null,
  at           timestamptz not null default now()
);
create index spec_messages_task on spec_messages (spec_task_id, id);

-- Tells everybody what happened in a task, those who follow the office too (spec_task.KIND); the server writes it into the task's history.
create function semo.spec_event(p_task uuid, p_kind text, p_author text, p_session uuid default null, p_detail jsonb default '{}')
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_event coordination_events;
begin
  insert into coordination_events (office_id, spec_task_id, spec_session_id, kind, detail, author)
  select t.office_id, t.id, p_session, p_kind, jsonb_strip_nulls(p_detail), p_author from spec_tasks t where t.id = p_task
  returning * into v_event;
  perform semo.tell(v_event.office_id, 'spec_task.' || p_kind, jsonb_build_object('spec_task_id', p_task, 'name', t.name, 'label', s.label,
    'author', p_author) || v_event.detail, s.session_id)
  from spec_tasks t left join spec_sessions s on s.id = p_session where t.id = p_task;
  update spec_tasks set last_event = v_event.id, updated_at = now() where id = p_task;
  perform semo.hint(v_event.office_id, 'events', 'spec', jsonb_build_object('spec_task_id', p_task, 'event', v_event.id, 'kind', p_kind));
  return v_event.id;
end $$;

-- A task for one of a person's or the server's writes, locked; SO003 when the caller may not see it, SO005 when not write.
create function semo.spec_task_for(p_task uuid, p_least member_role default 'operator')
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks;
begin
  select * into v_task from spec_tasks where id = p_task for no key update;
  if v_task.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_task.office_id, 'viewer')) then
    perform semo.refuse('SO003', format('there is no spec task %s', p_task));
  elsif auth.role() = 'authenticated' and not semo.has_role(v_task.office_id, p_least) then
    perform semo.refuse('SO005', format('this takes the role "%s"', p_least));
  end if;
  return v_task;
end $$;

create function semo.spec_author(p_author text)
returns text language sql stable set search_path = public, pg_temp as $$
  select case when auth.role() = 'authenticated' then 'user:' || auth.uid() else coalesce(p_author, auth.role(), 'sql:' || session_user) end
$$;

create function semo.spec_role(p_office uuid, p_role text)
returns text language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_persona agent_personas := semo.persona_of(p_office, p_role);
begin
  if v_persona.id is null then
    perform semo.refuse('SO004', format('unknown role "%s"', p_role), (
      select 'this office has ' || string_agg(distinct role, ', ') from agent_personas where office_id = p_office or office_id is null));
  end if;
  return v_persona.role;
end $$;

-- Draws: (insert) → backlog. p_wishes: any of description, planning_role, work_role, agent, model, mcp, base, single_session, planning_template,
-- work_template, session_seconds, max_spawned, max_depth. p_key, p_digest: asking again with the same key gives the same task.
create function create_spec_task(p_office uuid, p_name text, p_title text, p_wishes jsonb default '{}', p_author text default null,
                                 p_key text default null, p_digest text default null)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_wrong text;
  v_before jsonb;
  v_task spec_tasks;
begin
  if not exists (select 1 from offices where id = p_office) or (auth.role() = 'authenticated' and not semo.has_role(p_office, 'viewer')) then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  elsif auth.role() = 'authenticated' and not semo.has_role(p_office, 'operator') then
    perform semo.refuse('SO005', 'this takes the role "operator"');
  end if;
  v_before := semo.made_before(p_office, 'spec_task', p_key, p_digest);
  if v_before is not null then
    select * into v_task from spec_tasks where id = (v_before #>> '{}')::uuid;
    return v_task;
  end if;
  select k into v_wrong from jsonb_object_keys(p_wishes) as k
  where k <> all ('{description,planning_role,work_role,agent,model,mcp,base,single_session,planning_template,work_template,session_seconds,max_spawned,max_depth}')
  order by k limit 1;
  if v_wrong is not null then
    perform semo.refuse('SO004', format('a spec task takes no "%s"', v_wrong));
  elsif exists (select 1 from spec_tasks where office_id = p_office and name = p_name) then
    perform semo.refuse('SO002', format('there is a spec task "%s" already', p_name), 'give this one another name');
  end if;
  insert into spec_tasks (office_id, name, title, description, planning_role, work_role, agent, model, mcp, base, single_session, planning_template,
                          work_template, session_seconds, max_spawned, max_depth, author)
  select p_office, p_name, p_title, coalesce(w.description, ''), semo.spec_role(p_office, coalesce(w.planning_role, 'PM')),
         semo.spec_role(p_office, coalesce(w.work_role, 'BE')), w.agent, w.model, w.mcp, w.base, coalesce(w.single_session, false),
         w.planning_template, w.work_template, coalesce(w.session_seconds, 1800), coalesce(w.max_spawned, 10), coalesce(w.max_depth, 2),
         semo.spec_author(p_author)
  from jsonb_to_record(p_wishes) as w(description text, planning_role text, work_role text, agent text, model text, mcp text, base text,
       single_session boolean, planning_template text, work_template text, session_seconds integer, max_spawned integer, max_depth integer)
  returning * into v_task;
  perform semo.keep_made(p_office, 'spec_task', p_key, to_jsonb(v_task.id));
  perform semo.spec_event(v_task.id, 'created', v_task.author);
  select * into v_task from spec_tasks where id = v_task.id;
  return v_task;
end $$;

-- Draws: backlog → planning, planning → planning, review → planning, failed → planning. The caller holds the task.
create function semo.begin_planning(p_task spec_tasks, p_author text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session uuid;
begin
  update spec_tasks set status = 'planning', problem = null, round = round + 1, ended_at = null where id = p_task.id;
  insert into spec_sessions (spec_task_id, kind, label, title, role, worktree_task)
  values (p_task.id, 'planning', 'planning-' || (p_task.round + 1), p_task.title, p_task.planning_role, p_task.name)
  returning id into v_session;
  perform semo.spec_event(p_task.id, 'planning', p_author, v_session, jsonb_build_object('round', p_task.round + 1));
end $$;

-- Draws: backlog → planning.
create function start_spec_task(p_task uuid, p_author text default null)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if v_task.status <> 'backlog' then
    perform semo.refuse('SO002', format('spec task "%s" is in %s and was begun before', v_task.name, v_task.status));
  end if;
  perform semo.begin_planning(v_task, semo.spec_author(p_author));
  select * into v_task from spec_tasks where id = p_task;
  return v_task;
end $$;

-- Draws: planning → review. Keeps the next version; p_units: what its tasks.md asks for.
create function spec_planned(p_task uuid, p_round integer, p_commit text, p_documents jsonb, p_units jsonb)
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if v_task.status <> 'planning' or v_task.round <> p_round then
    perform semo.refuse('SO002', format('spec task "%s" is in %s, round %s', v_task.name, v_task.status, v_task.round));
  end if;
  update spec_tasks set status = 'review', version = version + 1, unread_in_a_row = 0 where id = p_task;
  insert into spec_versions (spec_task_id, version, commit, documents, units) values (p_task, v_task.version + 1, p_commit, p_documents, p_units);
  perform semo.spec_event(p_task, 'review', 'office', null, jsonb_build_object('version', v_task.version + 1, 'commit', p_commit));
  return v_task.version + 1;
end $$;

-- Draws: planning → planning (what is wrong becomes a comment), planning → failed (after three rounds in a row like this).
create function spec_unplanned(p_task uuid, p_round integer, p_problem text, p_document text default null, p_line integer default null)
returns spec_task_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if v_task.status <> 'planning' or v_task.round <> p_round then
    perform semo.refuse('SO002', format('spec task "%s" is in %s, round %s', v_task.name, v_task.status, v_task.round));
  end if;
  insert into spec_comments (spec_task_id, version, document, line, text, author, round)
  values (p_task, v_task.version, p_document, p_line, left(p_problem, 4000), 'office', v_task.round);
  update spec_tasks set unread_in_a_row = unread_in_a_row + 1 where id = p_task returning * into v_task;
  perform semo.spec_event(p_task, 'unreadable', 'office', null, jsonb_build_object('problem', p_problem, 'document', p_document, 'line', p_line));
  if v_task.unread_in_a_row >= 3 then
    perform semo.fail_spec_task(v_task, format('planning ended three times in a row without documents that can be reviewed: %s', p_problem));
    return 'failed';
  end if;
  perform semo.begin_planning(v_task, 'office');
  return 'planning';
end $$;

-- Draws: planning → failed, implementation → failed. The caller holds the task.
create function semo.fail_spec_task(p_task spec_tasks, p_problem text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update spec_tasks set status = 'failed', problem = left(p_problem, 4000) where id = p_task.id;
  perform semo.spec_event(p_task.id, 'failed', 'office', null, jsonb_build_object('problem', p_problem));
end $$;

-- The newest version of a task in review; what a person read is refused when it is another one.
create function semo.spec_in_review(p_task uuid, p_version integer)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
begin
  if not exists (select 1 from spec_versions where spec_task_id = p_task and version = p_version) then
    perform semo.refuse('SO003', format('spec task "%s" has no version %s', v_task.name, p_version),
                        format('its newest is version %s; semo spec read shows it', v_task.version));
  elsif p_version <> v_task.version then
    perform semo.refuse('SO002', format('version %s of spec task "%s" is no longer the newest: that is version %s', p_version, v_task.name, v_task.version),
                        'read the newest one first');
  elsif v_task.status <> 'review' then
    perform semo.refuse('SO002', format('spec task "%s" is in %s, not in review', v_task.name, v_task.status));
  end if;
  return v_task;
end $$;

-- On a whole version, a document or one line of it.
create function comment_spec(p_task uuid, p_version integer, p_text text, p_document text default null, p_line integer default null,
                             p_author text default null, p_key text default null, p_digest text default null)
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_task_for(p_task);
  v_before jsonb := semo.made_before(v_task.office_id, 'comment ' || p_task, p_key, p_digest);
  v_text text;
  v_id bigint;
begin
  if v_before is not null then
    return (v_before #>> '{}')::bigint;
  end if;
  v_task := semo.spec_in_review(p_task, p_version);
  if p_document is not null then
    select documents ->> p_document into v_text from spec_versions where spec_task_id = p_task and version = p_version;
    if v_text is null then
      perform semo.refuse('SO004', format('version %s has no document "%s"', p_version, p_document));
    elsif p_line > regexp_count(v_text, E'\n') + 1 then
      perform semo.refuse('SO004', format('"%s" has %s lines', p_document, regexp_count(v_text, E'\n') + 1));
    end if;
  elsif p_line is not null then
    perform semo.refuse('SO004', 'a line is one of a document; name the document, too');
  end if;
  insert into spec_comments (spec_task_id, version, document, line, text, author, round)
  values (p_task, p_version, p_document, p_line, p_text, semo.spec_author(p_author), v_task.round) returning id into v_id;
  perform semo.keep_made(v_task.office_id, 'comment ' || p_task, p_key, to_jsonb(v_id));
  perform semo.spec_event(p_task, 'commented', semo.spec_author(p_author), null,
    jsonb_build_object('version', p_version, 'document', p_document, 'line', p_line, 'text', p_text));
  return v_id;
end $$;

-- Draws: review → planning. Takes at least one comment, made before or with it: the agent must know what is wanted.
-- p_comments: [{"text","document"?,"line"?}].
create function send_back_spec(p_task uuid, p_version integer, p_author text default null, p_comments jsonb default '[]')
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_in_review(p_task, p_version);
begin
  perform comment_spec(p_task, p_version, c.text, c.document, c.line, p_author)
  from jsonb_to_recordset(p_comments) as c(text text, document text, line integer);
  if not exists (select 1 from spec_comments where spec_task_id = p_task and round = v_task.round) then
    perform semo.refuse('SO004', format('version %s has no comment that says what is to be changed', p_version), 'comment on it first');
  end if;
  update spec_versions set verdict = 'sent_back', decided_by = semo.spec_author(p_author), decided_at = now()
  where spec_task_id = p_task and version = p_version;
  perform semo.spec_event(p_task, 'sent_back', semo.spec_author(p_author), null, jsonb_build_object('version', p_version));
  perform semo.begin_planning(v_task, semo.spec_author(p_author));
  select * into v_task from spec_tasks where id = p_task;
  return v_task;
end $$;

-- Draws: review → implementation. Makes the work sessions that the version's tasks.md asks for.
create function approve_spec(p_task uuid, p_version integer, p_author text default null)
returns spec_tasks language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_task spec_tasks := semo.spec_in_review(p_task, p_version);
  v_version spec_versions;
begin
  update spec_versions set verdict = 'approved', decided_by = semo.spec_author(p_author), decided_at = now()
  where spec_task_id = p_task and version = p_version returning * into v_version;
  update spec_tasks set status = 'implementation', approved_version = p_version where id = p_task;
  perform semo.spec_event(p_task, 'approved', semo.spec_author(p_author), null, jsonb_build_object('version', p_version));
  if v_task.single_session then
    insert into spec_sessions (spec_task_id, kind, label, title, body, role, worktree_task)
    values (p_task, 'work', 'all', v_task.title, v_version.documents ->> 'tasks.md', v_task.work_role, v_task.name || '-all');
  else
    insert into spec_sessions (spec_task_id, kind, label, title, body, role, depends_on, worktree_task)
    select p_task, 'work', u.key, u.title, coalesce(u.body, ''), semo.spec_role(v_task.office_id, coalesce(u.role, v_task.work_role)),
           coalesce(u.depends_on, '{}'), v_task.name || '-' || u.key
    from jsonb_to_recordset(v_version.units) as u(key text, title text, body text, role text, depends_on text[]);
  end if;
  select * into v_task from spec_tasks where id = p_task;
  return v_task;
end $$;
