-- How many of the deleted calls had no known price: their share of cost_usd is unknown, not 0.
-- Earlier programs leave the column at its default and do not read it.
-- Serves programs from schema 11 on.

ALTER TABLE call_rollups ADD COLUMN unpriced_calls bigint NOT NULL DEFAULT 0;
