-- Failed calls are few, and pages and statistics list them by time. Earlier programs do not read it.
-- Serves programs from schema 11 on.

CREATE INDEX calls_failed ON calls (started_at) WHERE outcome <> 'ok';
