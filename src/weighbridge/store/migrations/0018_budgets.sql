-- Caps on money, which every process keeps: what is committed is spent, or reserved for calls in flight.
-- Earlier programs do not look at them: with one of those at work beside this one, no cap is kept.
-- Serves programs from schema 1 on.

CREATE TABLE budgets (
    name          text PRIMARY KEY,                       -- 'day', 'month', or 'catalogue' and the beginning of its SHA-256
    cap_usd       double precision NOT NULL CHECK (cap_usd >= 0),
    committed_usd double precision NOT NULL DEFAULT 0,
    span          text NOT NULL DEFAULT '',               -- the day or month (UTC) that was committed in
    active        boolean NOT NULL DEFAULT true           -- false: its run has ended in good order
);
