-- Lists of products in other orders than that in which they came, and what a reviewer has checked.
-- Only additions: a program that knows nothing of them works beside one that does.
-- Serves programs from schema 1 on.

CREATE INDEX footprints_by_emissions ON footprints (emissions_kg_co2e DESC, product_id DESC);
-- "Check first": where the range is widest, a look is worth most.
CREATE INDEX footprints_by_range ON footprints ((high_kg_co2e - low_kg_co2e) DESC, product_id DESC);

-- A reviewer has looked at the figure and found it sound. It holds for the revision that was looked at.
CREATE TABLE product_checks (
    product_id  bigint PRIMARY KEY REFERENCES products (id) ON DELETE CASCADE,
    revision    integer NOT NULL,
    checked_by  text NOT NULL,
    checked_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX audit_log_subject ON audit_log (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX footprints_by_category ON footprints (category, emissions_kg_co2e DESC, product_id DESC);
