-- Own factors, as they were uploaded: the newest row is what every process computes with. A row without content takes the factors
-- back. Rows are added and never changed, so that each footprint's factors can still be looked up.
-- Earlier programs do not read the table and compute without the uploaded factors.
-- Serves programs from schema 11 on.

CREATE TABLE factor_uploads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    content bytea,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
