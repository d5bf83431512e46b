-- What the migrations make, for reading; nothing runs it. After a change of the migrations:
-- npm test -- migrations/schema.test.ts --update

create table clients (
  id text not null,
  name text not null,
  created_at timestamp with time zone not null default now(),
  disabled_at timestamp with time zone,
  constraint clients_pkey PRIMARY KEY (id),
  constraint clients_id_check CHECK ((id ~ '^[a-z0-9-]{1,40}$'::text))
);

create table players (
  client_id text not null,
  id bigint not null,
  email text not null,
  last_signed_in_at timestamp with time zone,
  constraint players_pkey PRIMARY KEY (client_id, id),
  constraint players_id_check CHECK (((id >= 1) AND (id <= '9007199254740991'::bigint))),
  constraint players_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id)
);

create table api_keys (
  id bigint not null generated always as identity,
  client_id text,
  source text,
  prefix text not null,
  hash bytea not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_hash_key UNIQUE (hash),
  constraint api_keys_check CHECK (((client_id IS NULL) = (source IS NULL))),
  constraint api_keys_hash_check CHECK ((octet_length(hash) = 32)),
  constraint api_keys_source_check CHECK ((source ~ '^[A-Za-z0-9._-]{1,64}$'::text)),
  constraint api_keys_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id)
);

create table event_types (
  name text not null,
  built_in boolean not null default false,
  constraint event_types_pkey PRIMARY KEY (name),
  constraint event_types_name_check CHECK ((name ~ '^[a-z0-9_-]{1,40}$'::text))
);

create table event_type_schemas (
  type text not null,
  client_id text,
  schema jsonb not null,
  updated_at timestamp with time zone not null default now(),
  constraint event_type_schemas_type_client_id_key UNIQUE NULLS NOT DISTINCT (type, client_id),
  constraint event_type_schemas_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id),
  constraint event_type_schemas_type_fkey FOREIGN KEY (type) REFERENCES event_types(name)
);

create table events (
  client_id text not null,
  source text not null,
  id bigint not null,
  type text not null,
  player_id bigint,
  game_id bigint,
  amount bigint,
  currency text,
  has_won boolean,
  created_at timestamp with time zone not null,
  data json,
  amount_eur bigint,
  player_email text,
  player_last_signed_in_at timestamp with time zone,
  description text not null,
  rate numeric,
  rate_at timestamp with time zone,
  stored_at timestamp with time zone not null,
  log_sequence bigint,
  constraint events_pkey PRIMARY KEY (client_id, source, id)
);

create index events_by_player_and_type ON public.events USING btree (client_id, player_id, type, created_at DESC, source, id) WHERE (player_id IS NOT NULL);

create index events_by_sequence ON public.events USING brin (log_sequence) WITH (pages_per_range='16', autosummarize='on');

create index events_by_storing ON public.events USING btree (stored_at);

create index events_by_type ON public.events USING btree (client_id, type, created_at DESC, source, id);

create table games (
  client_id text not null,
  id bigint not null,
  title text not null,
  constraint games_pkey PRIMARY KEY (client_id, id),
  constraint games_id_check CHECK (((id >= 1) AND (id <= '9007199254740991'::bigint))),
  constraint games_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id)
);

create table game_versions (
  client_id text not null,
  version bigint not null,
  constraint game_versions_pkey PRIMARY KEY (client_id)
);

create table destinations (
  id text not null,
  client_id text not null,
  url text not null,
  types text[],
  headers text,
  rate_limit integer,
  ordered boolean not null default false,
  batch integer not null default 1,
  enabled boolean not null default true,
  disabled_at timestamp with time zone,
  disabled_reason text,
  failing_since timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint destinations_pkey PRIMARY KEY (id),
  constraint destinations_batch_check CHECK (((batch >= 1) AND (batch <= 100))),
  constraint destinations_id_check CHECK ((id ~ '^[a-z0-9]{16}$'::text)),
  constraint destinations_rate_limit_check CHECK (((rate_limit >= 1) AND (rate_limit <= 10000))),
  constraint destinations_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id)
);

create index destinations_by_client ON public.destinations USING btree (client_id, id);

create table destination_secrets (
  id bigint not null generated always as identity,
  destination_id text not null,
  secret text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  constraint destination_secrets_pkey PRIMARY KEY (id),
  constraint destination_secrets_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES destinations(id) ON DELETE CASCADE
);

create index destination_secrets_by_destination ON public.destination_secrets USING btree (destination_id, id DESC);

create table deliveries (
  id bigint not null generated always as identity,
  destination_id text not null,
  client_id text not null,
  source text not null,
  event_id bigint not null,
  event_type text not null,
  log_sequence bigint,
  webhook_id text not null,
  attempt integer not null,
  outcome text not null,
  status integer,
  duration_ms integer not null,
  error text,
  answer text,
  at timestamp with time zone not null,
  constraint deliveries_pkey PRIMARY KEY (id),
  constraint deliveries_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'failed'::text, 'set_aside'::text, 'discarded'::text])))
);

create index deliveries_by_client ON public.deliveries USING btree (client_id, at DESC, id DESC);

create index deliveries_by_destination ON public.deliveries USING btree (destination_id, at DESC, id DESC);

create index deliveries_by_event ON public.deliveries USING btree (event_id, client_id, source);

create index deliveries_by_failure ON public.deliveries USING btree (client_id, outcome, at DESC, id DESC) WHERE (outcome <> 'delivered'::text);

create index deliveries_by_failure_and_destination ON public.deliveries USING btree (destination_id, outcome, at DESC, id DESC) WHERE (outcome <> 'delivered'::text);

create index deliveries_by_failure_and_time ON public.deliveries USING btree (outcome, at DESC, id DESC) WHERE (outcome <> 'delivered'::text);

create index deliveries_by_time ON public.deliveries USING btree (at DESC, id DESC);

create table delivery_requests (
  id bigint not null generated always as identity,
  destination_id text not null,
  client_id text not null,
  kind text not null,
  source text,
  event_id bigint,
  from_at timestamp with time zone,
  to_at timestamp with time zone,
  types text[],
  only_undelivered boolean not null default false,
  created_at timestamp with time zone not null default now(),
  "position" jsonb,
  sent bigint not null default 0,
  done_at timestamp with time zone,
  error text,
  constraint delivery_requests_pkey PRIMARY KEY (id),
  constraint delivery_requests_check CHECK (((kind <> 'resend'::text) OR ((source IS NOT NULL) AND (event_id IS NOT NULL)))),
  constraint delivery_requests_check1 CHECK (((kind <> 'replay'::text) OR ((from_at IS NOT NULL) AND (to_at IS NOT NULL)))),
  constraint delivery_requests_kind_check CHECK ((kind = ANY (ARRAY['resend'::text, 'replay'::text]))),
  constraint delivery_requests_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES destinations(id) ON DELETE CASCADE
);

create index delivery_requests_done ON public.delivery_requests USING btree (done_at) WHERE (done_at IS NOT NULL);

create index delivery_requests_open ON public.delivery_requests USING btree (destination_id, id) WHERE (done_at IS NULL);

create table destination_places (
  destination_id text not null,
  log_sequence bigint not null default 0,
  keeper text,
  kept_until timestamp with time zone,
  constraint destination_places_pkey PRIMARY KEY (destination_id),
  constraint destination_places_destination_id_fkey FOREIGN KEY (destination_id) REFERENCES destinations(id) ON DELETE CASCADE
);

create table erasures (
  client_id text not null,
  player_id bigint not null,
  erased_at timestamp with time zone not null,
  requested_by text not null,
  counts json not null,
  constraint erasures_pkey PRIMARY KEY (client_id, player_id),
  constraint erasures_player_id_check CHECK (((player_id >= 1) AND (player_id <= '9007199254740991'::bigint))),
  constraint erasures_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id) ON DELETE CASCADE
);

create table sessions (
  hash bytea not null,
  kind text not null,
  key_id bigint,
  client_id text,
  source text,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint sessions_pkey PRIMARY KEY (hash),
  constraint sessions_check CHECK (((client_id IS NULL) = (source IS NULL))),
  constraint sessions_kind_check CHECK ((kind = ANY (ARRAY['code'::text, 'session'::text]))),
  constraint sessions_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id),
  constraint sessions_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id) ON DELETE CASCADE
);

create index sessions_key_id_created_at_idx ON public.sessions USING btree (key_id, created_at);

create table event_type_changes (
  id bigint not null generated always as identity,
  type text not null,
  client_id text,
  change text not null,
  schema jsonb,
  at timestamp with time zone not null default now(),
  constraint event_type_changes_pkey PRIMARY KEY (id),
  constraint event_type_changes_change_check CHECK ((change = ANY (ARRAY['registered'::text, 'replaced'::text, 'removed'::text]))),
  constraint event_type_changes_check CHECK (((schema IS NULL) = (change = 'removed'::text)))
);

CREATE OR REPLACE FUNCTION public.event_type_schemas_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    begin
      if tg_op = 'DELETE' then
        insert into event_type_changes (type, client_id, change) values (old.type, old.client_id, 'removed');
      elsif tg_op = 'INSERT' then
        insert into event_type_changes (type, client_id, change, schema)
          values (new.type, new.client_id, 'registered', new.schema);
      elsif new.schema <> old.schema then
        insert into event_type_changes (type, client_id, change, schema)
          values (new.type, new.client_id, 'replaced', new.schema);
      end if;
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.events_have_clients_and_types()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  declare
    missing text;
    their_clients text[];
    their_types text[];
  begin
    select array_agg(client_id), array_agg(type) into their_clients, their_types
      from (select distinct client_id, type from added) as kinds;
    -- What is locked here cannot be deleted before this transaction has ended.
    perform from clients where id = any (their_clients) for key share;
    perform from event_types where name = any (their_types) for key share;
    select client into missing from unnest(their_clients) as client
      where not exists (select from clients where id = client) limit 1;
    if found then
      raise foreign_key_violation using message = format('client %L is not registered', missing),
        constraint = 'events_client_id_fkey', table = 'events', schema = tg_table_schema;
    end if;
    select kind into missing from unnest(their_types) as kind
      where not exists (select from event_types where name = kind) limit 1;
    if found then
      raise foreign_key_violation using message = format('event type %L is not registered', missing),
        constraint = 'events_type_fkey', table = 'events', schema = tg_table_schema;
    end if;
    return null;
  end $function$;

CREATE OR REPLACE FUNCTION public.events_keep_clients_and_types()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    declare
      used boolean;
      key text := case tg_table_name when 'clients' then 'id' else 'name' end;
    begin
      if tg_op = 'UPDATE' then
        -- Other columns may change. As JSON, because the two tables name theirs differently.
        if to_jsonb(new) -> key = to_jsonb(old) -> key then return null; end if;
      end if;
      -- A snapshot from before the lock could miss events that were committed since.
      if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise feature_not_supported using
          message = format('rows of %I can only be deleted or renamed in a transaction that is read committed', tg_table_name);
      end if;
      if tg_op = 'TRUNCATE' then
        select exists (select from events) into used;
      elsif tg_table_name = 'clients' then
        select exists (select from events where client_id = old.id) into used;
      else
        select exists (select from events where type = old.name) into used;
      end if;
      if used then
        raise foreign_key_violation using message = format('rows of %I are still referred to by events', tg_table_name),
          constraint = case tg_table_name when 'clients' then 'events_client_id_fkey' else 'events_type_fkey' end,
          table = 'events', schema = tg_table_schema;
      end if;
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.events_keep_erased()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    begin
      if not exists (select from erasures) then return null; end if;
      update events set player_email = null, player_last_signed_in_at = null,
        description = without_email(events.description, events.player_id, events.player_email)
      from added join erasures on erasures.client_id = added.client_id and erasures.player_id = added.player_id
      where events.client_id = added.client_id and events.source = added.source and events.id = added.id
        and (added.player_email is not null or added.player_last_signed_in_at is not null)
        and added.player_email is distinct from (
          select email from players where players.client_id = added.client_id and players.id = added.player_id);
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.games_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
    begin
      if tg_op = 'TRUNCATE' then
        update game_versions set version = version + 1;
      else
        insert into game_versions (client_id, version)
          select client_id, 1 from changed group by client_id order by client_id
          on conflict (client_id) do update set version = game_versions.version + 1;
      end if;
      return null;
    end $function$;

CREATE OR REPLACE FUNCTION public.without_email(description text, player_id bigint, email text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
      select case when starts_with(description, 'Player #' || player_id || ' (' || email || ')')
        then 'Player #' || player_id || substr(description, length('Player #' || player_id || ' (' || email || ')') + 1)
        else description end
    $function$;

CREATE TRIGGER clients_kept_by_events AFTER DELETE OR UPDATE ON public.clients FOR EACH ROW EXECUTE FUNCTION events_keep_clients_and_types();

CREATE TRIGGER clients_kept_whole_by_events AFTER TRUNCATE ON public.clients FOR EACH STATEMENT EXECUTE FUNCTION events_keep_clients_and_types();

CREATE TRIGGER event_types_kept_by_events AFTER DELETE OR UPDATE ON public.event_types FOR EACH ROW EXECUTE FUNCTION events_keep_clients_and_types();

CREATE TRIGGER event_types_kept_whole_by_events AFTER TRUNCATE ON public.event_types FOR EACH STATEMENT EXECUTE FUNCTION events_keep_clients_and_types();

CREATE TRIGGER event_type_schemas_history AFTER INSERT OR DELETE OR UPDATE ON public.event_type_schemas FOR EACH ROW EXECUTE FUNCTION event_type_schemas_changed();

CREATE TRIGGER events_insert_erased AFTER INSERT ON public.events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_keep_erased();

CREATE TRIGGER events_insert_references AFTER INSERT ON public.events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_have_clients_and_types();

CREATE TRIGGER events_update_references AFTER UPDATE ON public.events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_have_clients_and_types();

CREATE TRIGGER games_delete_version AFTER DELETE ON public.games REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION games_changed();

CREATE TRIGGER games_insert_version AFTER INSERT ON public.games REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION games_changed();

CREATE TRIGGER games_truncate_version AFTER TRUNCATE ON public.games FOR EACH STATEMENT EXECUTE FUNCTION games_changed();

CREATE TRIGGER games_update_version AFTER UPDATE ON public.games REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION games_changed();
