-- What people override in the answers of a model. Rows are added and withdrawn, never changed.
-- Earlier programs leave corrections out of the footprints that they compute: upgrade every worker before the first.
-- Serves programs from schema 11 on.

CREATE TABLE corrections (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id   bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    step         text NOT NULL,
    path         text[] NOT NULL,                      -- which value of the answer: {lines,2,material}
    anchor       text,                                 -- material of the line, so that it is found in a new bill
    value        jsonb NOT NULL,
    before       jsonb NOT NULL,
    after        jsonb NOT NULL,
    made_by      text NOT NULL,
    reason       text NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz,
    withdrawn_by text
);
CREATE INDEX corrections_active ON corrections (product_id) WHERE withdrawn_at IS NULL;
