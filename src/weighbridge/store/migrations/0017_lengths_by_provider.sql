-- Lengths of answers belong to a provider and its model. Earlier programs go on with the table output_lengths.
-- Serves programs from schema 11 on.

ALTER TABLE provider_facts ADD COLUMN output_lengths jsonb NOT NULL DEFAULT '{}';
