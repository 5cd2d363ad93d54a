-- The latest entries about one action (the recent uploads), however many others were written since.
-- Earlier programs do not read it.
-- Serves programs from schema 11 on.

CREATE INDEX audit_log_action ON audit_log (action, id);
