-- How each product travels to the provider, and the batches that are there.
-- Earlier programs ask products of every lane at once, and leave batches and their jobs alone.
-- Serves programs from schema 11 on.

ALTER TABLE products
    -- 'online', 'flex' (the cheaper service tier) or 'batch' (the provider's Batch API).
    ADD COLUMN lane text NOT NULL DEFAULT 'online',
    -- So many batches in a row came back without a reply about it.
    ADD COLUMN unanswered_batches integer NOT NULL DEFAULT 0;
CREATE INDEX products_pending_batch ON products (id) WHERE status = 'pending' AND lane = 'batch';

CREATE TABLE batches (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text NOT NULL UNIQUE,              -- sent as metadata: by it a batch is found again after a crash
    provider        text NOT NULL,
    simulated       boolean NOT NULL,
    model           text NOT NULL,
    -- 'prepared' (recorded here), 'uploaded' (its file is there), 'creating' (about to be submitted, or perhaps submitted),
    -- 'submitted', 'collected' (every reply is on record), 'discarded' (the provider never took it)
    state           text NOT NULL DEFAULT 'prepared',
    requests        integer NOT NULL,
    tokens          bigint NOT NULL,                   -- of all prompts, as we count them
    committed_usd   double precision NOT NULL DEFAULT 0,
    spans           jsonb NOT NULL DEFAULT '[]',       -- [[name, span], …] of the budgets that it is committed to
    job_ids         bigint[] NOT NULL,
    file_id         text,
    batch_id        text,                              -- as the provider names it
    status          text,                              -- as the provider said last
    completed       integer NOT NULL DEFAULT 0,
    failed          integer NOT NULL DEFAULT 0,
    error           text,
    prepared_at     timestamptz NOT NULL DEFAULT now(),
    creating_at     timestamptz,
    submitted_at    timestamptz,
    ended_at        timestamptz
);
CREATE INDEX batches_open ON batches (id) WHERE state NOT IN ('collected', 'discarded');

-- A request of a batch is an open call: recording its reply closes it, so that none is recorded twice.
ALTER TABLE open_calls
    ADD COLUMN batch_id bigint REFERENCES batches (id),
    ADD COLUMN job_id   bigint;
CREATE INDEX open_calls_of_batch ON open_calls (batch_id) WHERE batch_id IS NOT NULL;

ALTER TABLE calls ADD COLUMN batch_id bigint;
CREATE INDEX calls_of_batch ON calls (batch_id) WHERE batch_id IS NOT NULL;
