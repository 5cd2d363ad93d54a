-- What is left of calls whose rows were trimmed, so that no money and no token is ever lost from the totals.
-- Only additions: a program that knows nothing of these tables works beside one that does.
-- Serves programs from schema 1 on.

CREATE TABLE call_rollups (
    day                  date NOT NULL,     -- in which the calls began, UTC
    step                 text NOT NULL,
    model                text NOT NULL,
    outcome              text NOT NULL,
    simulated            boolean NOT NULL,
    latency_bucket       integer NOT NULL,  -- indexes into the bounds of store/statistics.py
    waiting_bucket       integer NOT NULL,
    calls                bigint NOT NULL,
    latency_s            double precision NOT NULL,
    waited_s             double precision NOT NULL,
    estimated_tokens     bigint NOT NULL,
    input_tokens         bigint NOT NULL,
    cached_input_tokens  bigint NOT NULL,
    output_tokens        bigint NOT NULL,
    cost_usd             double precision NOT NULL,
    first_started_at     timestamptz NOT NULL,
    last_started_at      timestamptz NOT NULL,
    PRIMARY KEY (day, step, model, outcome, simulated, latency_bucket, waiting_bucket)
);

-- One row. `trimmed_up_to` is the highest id of a call that was trimmed; `looked_at` is when somebody last
-- began to trim: a new database has nothing to trim for an hour.
CREATE TABLE retention_state (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    trimmed_up_to  bigint NOT NULL DEFAULT 0,
    looked_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO retention_state DEFAULT VALUES;

-- So that the scopes of runs long over can be told from those of runs under way.
ALTER TABLE scopes ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
