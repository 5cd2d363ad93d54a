-- Who works at present. Each process renews its row every few seconds; one that is not renewed counts no more.
-- Only additions: a program that knows nothing of this table works beside one that does.
-- Serves programs from schema 1 on.

CREATE TABLE workers (
    id         uuid PRIMARY KEY,              -- under which it holds its jobs
    seen_at    timestamptz NOT NULL DEFAULT now(),
    is_leaving boolean NOT NULL DEFAULT false,  -- it takes no more work, and finishes what it has begun
    in_flight  integer NOT NULL DEFAULT 0,    -- calls; kept only while there is a ceiling on calls at a time
    waiting    integer NOT NULL DEFAULT 0     -- calls that would go if there were room
) WITH (fillfactor = 50);
