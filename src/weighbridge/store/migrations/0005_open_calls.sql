-- Calls that were given leave to go and are not on record yet. Whoever takes over the work of a dead process finds
-- here what to ask the provider for (decision 0012). Written only where that option is on.
-- Only an addition: a program that knows nothing of it works beside one that does.
-- Serves programs from schema 1 on.

CREATE TABLE open_calls (
    key                    text PRIMARY KEY,         -- travels with the call, as metadata
    provider               text NOT NULL,
    simulated              boolean NOT NULL,
    question               text NOT NULL,            -- as in calls.step
    step_version           text NOT NULL,
    product_ids            bigint[] NOT NULL,
    question_fingerprints  text[] NOT NULL,          -- one for each product
    started_at             timestamptz NOT NULL,
    estimated_tokens       integer NOT NULL,
    output_allowance       integer NOT NULL,
    -- The provider does not have it, or nobody needs it any more. The row stays for the worker that was only frozen.
    given_up               boolean NOT NULL DEFAULT false
) WITH (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 1000000000
);
