-- What a catalogue tells of a product besides its description, and what of a row could not be used.
-- Serves programs from schema 8 on.

ALTER TABLE products
    ADD COLUMN facts jsonb NOT NULL DEFAULT '{}',  -- domain.facts.ProductFacts; absent: not known
    ADD COLUMN notes jsonb NOT NULL DEFAULT '[]';  -- domain.products.RowNote, of the last file that named the product

ALTER TABLE rejected_rows
    ADD COLUMN sheet text,
    ADD COLUMN column_name text;

CREATE TABLE row_notes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id    uuid NOT NULL,
    row_number   bigint NOT NULL,
    field        text NOT NULL,
    reason       text NOT NULL,
    code         text,
    sheet        text,
    column_name  text,
    found        text,
    noted_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX row_notes_import ON row_notes (import_id, row_number);
