-- What an agent may ask of its office from inside its session, and the questions that it puts to people.

create type question_status as enum (
  'open',      -- an agent waits for it      → answered, expired
  'answered',  -- a person has answered      final
  'expired'    -- its time ran out, or its session ended, before anybody answered   final
);

create table questions (
  id           uuid primary key,                 -- the agent's call that asked it
  office_id    uuid not null references offices on delete cascade,
  session_id   uuid not null references agent_sessions on delete cascade,
  spec_task_id uuid references spec_tasks on delete cascade,
  text         text not null check (text ~ '\S' and octet_length(text) <= 8192),
  options      text[] not null default '{}',     -- answers that it offers; others are taken, too
  status       question_status not null default 'open',
  answer       text check (octet_length(answer) <= 16384),
  answered_by  text,
  asked_at     timestamptz not null default now(),
  expires_at   timestamptz not null,
  settled_at   timestamptz,
  check ((status = 'answered') = (answer is not null))
);
create index questions_open on questions (office_id, asked_at) where status = 'open';
create index questions_office on questions (office_id, asked_at desc);

-- Every call of an agent that changed something, so that one that is told twice is done once.
create table agent_calls (
  id         uuid primary key,
  office_id  uuid not null references offices on delete cascade,
  session_id uuid not null references agent_sessions on delete cascade,
  tool       text not null,
  answer     jsonb not null,
  at         timestamptz not null default now()
);
create index agent_calls_session on agent_calls (session_id, at);

-- What a question's agent is told; null while it waits.
create function semo.answer_of(p_question questions)
returns jsonb language sql immutable as $$
  select case p_question.status
    when 'answered' then jsonb_build_object('question_id', p_question.id, 'answer', p_question.answer, 'answered_by', p_question.answered_by)
    when 'expired' then jsonb_build_object('question_id', p_question.id, 'answer', null, 'expired', true) end
$$;

-- One call of an agent, by the client in whose session it works. p_call: the agent's own id of it; told again, it is answered as before.
-- Returns {"answer":…}, or {"question":id} when a person has to answer first.
create function agent_call(p_client uuid, p_epoch bigint, p_session uuid, p_call uuid, p_tool text, p_arguments jsonb)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_session agent_sessions;
  v_work spec_sessions;
  v_task spec_tasks;
  v_author text := 'session:' || p_session;
  v_call agent_calls;
  v_answer jsonb;
begin
  perform semo.own_client(p_client, p_epoch);
  select * into v_session from agent_sessions where id = p_session and client_id = p_client;
  if v_session.id is null then
    perform semo.refuse('SO003', format('there is no session %s of client %s', p_session, p_client));
  elsif v_session.ended_at is not null then
    perform semo.refuse('SO007', format('session %s has ended', p_session));
  elsif jsonb_typeof(p_arguments) <> 'object' or octet_length(p_arguments::text) > 65536 then
    perform semo.refuse('SO004', 'the arguments must be an object of at most 65536 bytes');
  end if;
  v_work := semo.spec_session_in(p_session);
  if v_work.id is not null then
    select * into v_task from spec_tasks where id = v_work.spec_task_id for no key update;  -- one call after another for each task
  end if;
  select * into v_call from agent_calls where id = p_call;
  if v_call.id is not null then
    if v_call.session_id <> p_session or v_call.tool <> p_tool then
      perform semo.refuse('SO002', 'this call was made before, by another session or for something else');
    end if;
    return v_call.answer;
  end if;
  if (select count(*) from agent_calls where session_id = p_session and at > now() - interval '1 hour') >= 1000 then
    perform semo.refuse('SO005', 'this session has asked for 1000 things within an hour');
  end if;

  if p_tool = 'report_progress' then
    v_answer := jsonb_build_object('answer', semo.take_progress(v_session, v_work, p_arguments, v_author));
  elsif p_tool = 'ask_person' then
    v_answer := semo.take_question(v_session, v_task, p_call, p_arguments, v_author);
  elsif v_work.id is null then
    perform semo.refuse('SO002', 'this session works on no spec task, and so has nobody to share with', 'report_progress and ask_person work everywhere');
  elsif p_tool = 'spawn_session' then
    v_answer := jsonb_build_object('answer', (select jsonb_build_object('label', s.label, 'title', s.title, 'role', s.role, 'status', s.status,
      'branch', 'agent/' || s.role || '-' || s.worktree_task) from semo.add_spec_session(v_task, v_work, p_arguments, v_author) s));
  elsif p_tool = 'leave_message' then
    v_answer := jsonb_build_object('answer', jsonb_build_object('message', semo.leave_message(
      v_task, v_work, p_arguments ->> 'to', p_arguments ->> 'text', v_author)));
  elsif p_tool = 'read_messages' then
    v_answer := jsonb_build_object('answer', semo.read_messages(v_work));
  elsif p_tool = 'read_context' then
    return jsonb_build_object('answer', semo.spec_context(v_task, v_work, p_arguments ->> 'document'));
  else
    perform semo.refuse('SO004', format('there is no tool "%s"', p_tool));
  end if;
  insert into agent_calls (id, office_id, session_id, tool, answer) values (p_call, v_session.office_id, p_session, p_tool, v_answer);
  return v_answer;
end $$;

create function semo.take_progress(p_session agent_sessions, p_work spec_sessions, p_arguments jsonb, p_author text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_text text := p_arguments ->> 'text';
  v_percent integer := (p_arguments ->> 'percent')::integer;
begin
  if coalesce(v_text, '') !~ '\S' or octet_length(v_text) > 2000 then
    perform semo.refuse('SO004', '"text" must be a text of 1 to 2000 bytes');
  elsif v_percent not between 0 and 100 then
    perform semo.refuse('SO004', '"percent" must be between 0 and 100');
  end if;
  insert into session_events (office_id, session_id, kind, detail)
  values (p_session.office_id, p_session.id, 'progress', jsonb_strip_nulls(jsonb_build_object('text', v_text, 'percent', v_percent)));
  if p_work.id is not null then
    update spec_sessions set progress = v_text, percent = coalesce(v_percent, percent) where id = p_work.id;
    perform semo.spec_event(p_work.spec_task_id, 'progress', p_author, p_work.id, jsonb_build_object('text', v_text, 'percent', v_percent));
  end if;
  return jsonb_build_object('noted', true);
end $$;

-- Draws, of questions: (insert) → open.
create function semo.take_question(p_session agent_sessions, p_task spec_tasks, p_call uuid, p_arguments jsonb, p_author text)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_wait numeric := coalesce((p_arguments ->> 'wait_s')::numeric, 3600);
begin
  if coalesce(p_arguments ->> 'text', '') !~ '\S' or octet_length(p_arguments ->> 'text') > 8192 then
    perform semo.refuse('SO004', '"text" must be a text of 1 to 8192 bytes');
  elsif v_wait not between 1 and 86400 then
    perform semo.refuse('SO004', '"wait_s" must be between 1 and 86400');
  elsif (select count(*) from questions where session_id = p_session.id and status = 'open') >= 5 then
    perform semo.refuse('SO005', 'five questions of this session are open already');
  end if;
  insert into questions (id, office_id, session_id, spec_task_id, text, options, expires_at)
  values (p_call, p_session.office_id, p_session.id, p_task.id, p_arguments ->> 'text',
          coalesce((select array_agg(left(o, 500)) from (
            select jsonb_array_elements_text(case when jsonb_typeof(p_arguments -> 'options') = 'array' then p_arguments -> 'options' else '[]' end) as o
            limit 10) as offered), '{}'),
          now() + make_interval(secs => v_wait));
  insert into session_events (office_id, session_id, kind, detail)
  values (p_session.office_id, p_session.id, 'question', jsonb_build_object('question_id', p_call, 'text', p_arguments ->> 'text'));
  if p_task.id is not null then
    perform semo.spec_event(p_task.id, 'question', p_author,
      (select id from spec_sessions where session_id = p_session.id and status = 'running' order by started_at desc limit 1),
      jsonb_build_object('question_id', p_call, 'text', p_arguments ->> 'text'));
  end if;
  perform semo.hint(p_session.office_id, 'events', 'question', jsonb_build_object('question_id', p_call, 'session_id', p_session.id, 'status', 'open'));
  return jsonb_build_object('question', p_call);
end $$;

create function semo.read_messages(p_work spec_sessions)
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_found jsonb;
  v_last bigint;
begin
  select coalesce(jsonb_agg(jsonb_build_object('from', coalesce(m.label, m.author), 'to', m.addressee, 'text', m.text, 'at', m.at) order by m.id), '[]'), max(m.id)
  into v_found, v_last
  from (select m.*, f.label, t.label as addressee from spec_messages m
        left join spec_sessions f on f.id = m.from_session left join spec_sessions t on t.id = m.to_session
        where m.spec_task_id = p_work.spec_task_id and m.id > p_work.messages_read
          and (m.to_session is null or m.to_session = p_work.id) and m.from_session is distinct from p_work.id
        order by m.id limit 50) m;
  update spec_sessions set messages_read = greatest(messages_read, coalesce(v_last, 0)) where id = p_work.id;
  return jsonb_build_object('messages', v_found);
end $$;

-- What a session shares with the others of its task. p_document: the whole of one document, too.
create function semo.spec_context(p_task spec_tasks, p_work spec_sessions, p_document text)
returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  v_documents jsonb;
  v_state jsonb := semo.spec_state(p_task);
begin
  select documents into v_documents from spec_versions
  where spec_task_id = p_task.id and version = coalesce(p_task.approved_version, nullif(p_task.version, 0));
  if p_document is not null and v_documents ->> p_document is null then
    perform semo.refuse('SO004', format('there is no document "%s"', p_document), (
      select 'there are ' || string_agg(k, ', ' order by k) from jsonb_object_keys(coalesce(v_documents, '{}')) as k));
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'you', jsonb_build_object('label', p_work.label, 'title', p_work.title, 'role', p_work.role),
    'task', jsonb_build_object('name', p_task.name, 'title', p_task.title, 'description', p_task.description, 'status', p_task.status,
                               'branch', 'spec/' || p_task.name, 'folder', '.semo/specs/' || p_task.name, 'percent', v_state -> 'percent',
                               'may_still_add', greatest(0, p_task.max_spawned - p_task.spawned)),
    'documents', coalesce((select jsonb_agg(k order by k) from jsonb_object_keys(coalesce(v_documents, '{}')) as k), '[]'),
    'document', v_documents ->> p_document,
    'sessions', (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'label', s -> 'label', 'title', s -> 'title', 'role', s -> 'role', 'status', s -> 'status', 'parent', s -> 'parent',
                   'progress', s -> 'progress', 'branch', s -> 'branch', 'waits_for', s -> 'waits_for'))) from jsonb_array_elements(v_state -> 'sessions') as s
                 where s ->> 'kind' <> 'planning'),
    'unread_messages', (select count(*) from spec_messages m where m.spec_task_id = p_task.id and m.id > p_work.messages_read
                        and (m.to_session is null or m.to_session = p_work.id) and m.from_session is distinct from p_work.id)));
end $$;

-- Of the questions that a client's agents wait for: those that are settled, with what the agent is told. Expires what is over on the way.
create function agent_answers(p_client uuid, p_epoch bigint, p_questions uuid[])
returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform semo.own_client(p_client, p_epoch);
  perform expire_questions();
  return (select coalesce(jsonb_object_agg(q.id, semo.answer_of(q)), '{}') from questions q join agent_sessions s on s.id = q.session_id
          where q.id = any (p_questions) and s.client_id = p_client and q.status <> 'open');
end $$;

-- Draws, of questions: open → answered, of a row that the caller has locked and may answer.
create function semo.take_question_answer(p_question questions, p_answer text, p_by text)
returns questions language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if p_question.status = 'answered' then
    perform semo.refuse('SO002', format('question %s was answered at %s by %s', p_question.id, p_question.settled_at, p_question.answered_by));
  elsif p_question.status = 'expired' then
    perform semo.refuse('SO002', format('question %s expired at %s; nobody waits for the answer', p_question.id, p_question.settled_at));
  elsif coalesce(p_answer, '') !~ '\S' then
    perform semo.refuse('SO004', 'the answer is empty');
  end if;
  update questions set status = 'answered', answer = p_answer, answered_by = p_by, settled_at = now()
  where id = p_question.id returning * into p_question;
  if p_question.spec_task_id is not null then
    perform semo.spec_event(p_question.spec_task_id, 'answered', p_question.answered_by,
      (select id from spec_sessions where session_id = p_question.session_id and status = 'running' order by started_at desc limit 1),
      jsonb_build_object('question_id', p_question.id, 'text', p_question.text, 'answer', p_answer));
  end if;
  perform semo.hint(p_question.office_id, 'events', 'question',
    jsonb_build_object('question_id', p_question.id, 'session_id', p_question.session_id, 'status', 'answered'));
  return p_question;
end $$;

create function answer_question(p_question uuid, p_answer text, p_author text default null)
returns questions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_question questions;
begin
  perform expire_questions();
  select * into v_question from questions where id = p_question for no key update;
  if v_question.id is null or (auth.role() = 'authenticated' and not semo.has_role(v_question.office_id, 'viewer')) then
    perform semo.refuse('SO003', format('there is no question %s', p_question));
  elsif auth.role() = 'authenticated' and not semo.has_role(v_question.office_id, 'operator') then
    perform semo.refuse('SO005', 'this takes the role "operator"');
  end if;
  return semo.take_question_answer(v_question, p_answer, semo.spec_author(p_author));
end $$;

-- By the person at the machine whose agent asks.
create function answer_question_here(p_client uuid, p_epoch bigint, p_question uuid, p_answer text)
returns questions language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_client remote_clients := semo.own_client(p_client, p_epoch);
  v_question questions;
begin
  perform expire_questions();
  select q.* into v_question from questions q join agent_sessions s on s.id = q.session_id
  where q.id = p_question and s.client_id = p_client for no key update of q;
  if v_question.id is null then
    perform semo.refuse('SO003', format('there is no question %s of client %s', p_question, p_client));
  end if;
  return semo.take_question_answer(v_question, p_answer, 'machine:' || v_client.name);
end $$;

-- Draws, of questions: open → expired.
create function expire_questions()
returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  update questions q set status = 'expired', settled_at = now()
  where q.status = 'open' and q.id in (
    select o.id from questions o join agent_sessions s on s.id = o.session_id
    where o.status = 'open' and (o.expires_at <= now() or s.ended_at is not null) for no key update of o skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;

alter table questions   enable row level security;
alter table agent_calls enable row level security;
revoke all on questions, agent_calls from anon, authenticated, service_role;
grant select on questions, agent_calls to authenticated, service_role;
create policy "members see the questions" on questions for select to authenticated using (semo.has_role(office_id, 'viewer'));
create policy "members see what agents asked for" on agent_calls for select to authenticated using (semo.has_role(office_id, 'viewer'));

revoke execute on function expire_questions from public, anon, authenticated;
grant execute on function expire_questions to service_role;
revoke execute on function agent_call, agent_answers, answer_question, answer_question_here from public, anon;
grant execute on function agent_call, agent_answers, answer_question, answer_question_here to authenticated, service_role;
revoke execute on all functions in schema semo from public;
