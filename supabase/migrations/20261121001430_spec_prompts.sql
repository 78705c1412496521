-- What an office tells the agents of its spec tasks, in words of its own. A version never changes; saving again makes the next one.

create type spec_prompt_kind as enum (
  'planning',        -- to the agent that plans a task
  'review',          -- to the one that plans it again, because its documents were sent back
  'implementation'   -- to the agent of a work session
);

create table spec_prompts (
  office_id  uuid not null references offices on delete cascade,
  kind       spec_prompt_kind not null,
  version    integer not null check (version >= 1),
  text       text check (text ~ '\S' and octet_length(text) <= 65536),  -- null: from this version on the words that come with the office server
  author     text,
  created_at timestamptz not null default now(),
  primary key (office_id, kind, version)
);
create trigger audit_spec_prompts after insert on spec_prompts for each row execute function semo.audit_row('spec_prompt', 'kind');

-- Saves the next version; what is the newest already stays as it is. p_text null: back to the words that come with the server.
create function save_spec_prompt(p_office uuid, p_kind spec_prompt_kind, p_text text, p_author text)
returns spec_prompts language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_last spec_prompts;
  v_new spec_prompts;
begin
  perform 1 from offices where id = p_office for no key update;
  if not found then
    perform semo.refuse('SO003', format('there is no office %s', p_office));
  end if;
  select * into v_last from spec_prompts where office_id = p_office and kind = p_kind order by version desc limit 1;
  if v_last.text is not distinct from p_text and (v_last.version is not null or p_text is null) then
    return v_last;
  end if;
  insert into spec_prompts (office_id, kind, version, text, author)
  values (p_office, p_kind, coalesce(v_last.version, 0) + 1, p_text, p_author) returning * into v_new;
  perform semo.tell(p_office, 'spec_prompt.saved', jsonb_build_object('kind', p_kind, 'version', v_new.version, 'by', p_author));
  return v_new;
end $$;

alter table spec_prompts enable row level security;
revoke all on spec_prompts from anon, authenticated, service_role;
grant select on spec_prompts to authenticated, service_role;
create policy "members see the prompts" on spec_prompts for select to authenticated using (semo.has_role(office_id, 'viewer'));
revoke execute on function save_spec_prompt from public, anon, authenticated;
grant execute on function save_spec_prompt to service_role;
