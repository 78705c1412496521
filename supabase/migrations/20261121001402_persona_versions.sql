-- Every version that a persona had, so that one can be read again and taken back. Written with the change itself; never changed.

create table persona_versions (
  office_id      uuid references offices on delete cascade,  -- null: of the default persona
  role           text not null,
  version        integer not null,
  name           text not null,
  persona_prompt text not null,
  scope_patterns text[] not null,
  core_skills    text[] not null,
  author         text,                                       -- who made it, where that is known
  at             timestamptz not null default now(),
  unique nulls not distinct (office_id, role, version)
);

create function semo.keep_persona_version() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' or new.version <> old.version then
    insert into persona_versions (office_id, role, version, name, persona_prompt, scope_patterns, core_skills, author)
    values (new.office_id, new.role, new.version, new.name, new.persona_prompt, new.scope_patterns, new.core_skills, semo.actor() ->> 'name')
    on conflict do nothing;  -- a persona that was removed and made anew begins at 1 again
  end if;
  return null;
end $$;
create trigger keep_persona_version after insert or update on agent_personas for each row execute function semo.keep_persona_version();

insert into persona_versions (office_id, role, version, name, persona_prompt, scope_patterns, core_skills)
select office_id, role, version, name, persona_prompt, scope_patterns, core_skills from agent_personas;

alter table persona_versions enable row level security;
revoke all on persona_versions from anon, authenticated, service_role;
grant select on persona_versions to authenticated, service_role;
create policy "members see what personas were" on persona_versions
  for select to authenticated using (office_id is null or semo.has_role(office_id, 'viewer'));
revoke execute on all functions in schema semo from public;
