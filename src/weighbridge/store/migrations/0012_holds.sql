-- What calls take beside tokens, who is to be charged with a bad one, and why nothing is sent.
-- Earlier programs leave the new columns at their defaults and do not look at the new tables.
-- Serves programs from schema 11 on.

ALTER TABLE calls
    ADD COLUMN unusable           text,                          -- kind of error when no answer of the reply was accepted
    ADD COLUMN cache_write_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN reasoning_tokens   integer NOT NULL DEFAULT 0,    -- hidden; part of output_tokens
    ADD COLUMN service_tier       text,                          -- as the provider named it
    ADD COLUMN price_known        boolean NOT NULL DEFAULT true; -- false: cost_usd is 0 because nobody knows the price

CREATE TABLE holds (
    account text PRIMARY KEY,                                    -- as in quota
    kind    text NOT NULL,                                       -- 'alike': all calls fail alike; 'day': a limit of the day
    reason  text NOT NULL,
    until_s double precision NOT NULL,                           -- in the limiter's time: then one call may go, to see
    probes  integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE holds IS 'why no call goes to an account at present, for every process; deleted by the first call that passes';

CREATE TABLE provider_facts (
    provider   text NOT NULL,
    model      text NOT NULL,
    learned    jsonb NOT NULL DEFAULT '{}',                      -- which parameters the server takes
    notices    jsonb NOT NULL DEFAULT '[]',                      -- what the operator should know
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model)
);
