-- Whether one call asks for all steps. A program that knows nothing of it goes on asking them one after the other.
-- Serves programs from schema 1 on.

ALTER TABLE queue_state ADD COLUMN ask_together boolean NOT NULL DEFAULT false;
