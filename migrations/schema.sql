-- What the migrations make, for reading; nothing runs it. After a change of the migrations:
-- npm test -- migrations/schema.test.ts --update

create table clients (
  id text not null,
  name text not null,
  created_at timestamp with time zone not null default now(),
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
  constraint events_pkey PRIMARY KEY (client_id, source, id),
  constraint events_client_id_fkey FOREIGN KEY (client_id) REFERENCES clients(id),
  constraint events_type_fkey FOREIGN KEY (type) REFERENCES event_types(name)
);

create index events_by_player ON public.events USING btree (client_id, player_id, created_at DESC, source, id);

create index events_by_storing ON public.events USING btree (stored_at);

create index events_by_time ON public.events USING btree (client_id, created_at DESC, source, id);

create index events_by_type ON public.events USING btree (client_id, type, created_at DESC, source, id);
