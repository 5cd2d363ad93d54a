-- Who may use the server, and who did what.
-- Only additions: a program that knows nothing of these tables works beside one that does.
-- Serves programs from schema 1 on.

-- A token is shown once, when it is made; only its SHA-256 is kept. Tokens are random, so no salt is needed.
CREATE TABLE access_tokens (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    role          text NOT NULL CHECK (role IN ('read-only', 'operator')),
    token_sha256  bytea NOT NULL UNIQUE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at    timestamptz
);
CREATE UNIQUE INDEX access_tokens_active_name ON access_tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,   -- the name of the token, or who used the command line
    action   text NOT NULL,   -- stopped, started, changed, corrected, deleted, exported, …
    subject  text,            -- a product's code, a file's name, the name of a token
    detail   jsonb NOT NULL
);

-- What a person wants to know of a worker.
ALTER TABLE workers ADD COLUMN host text;
ALTER TABLE workers ADD COLUMN version text;
ALTER TABLE workers ADD COLUMN started_at timestamptz NOT NULL DEFAULT now();

-- How fast it goes: products completed in the last minute, or minute by minute.
CREATE INDEX products_completed_at ON products (completed_at) WHERE status = 'completed';
