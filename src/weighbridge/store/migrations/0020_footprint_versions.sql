-- Earlier versions of each product's footprint: what it was, from when until when, and what made it. At most 20 a product.
-- Earlier programs replace a footprint without keeping the one before: the history then lacks that version.
-- Serves programs from schema 11 on.

CREATE TABLE footprint_versions (
    product_id        bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    calculated_at     timestamptz NOT NULL,
    replaced_at       timestamptz NOT NULL DEFAULT now(),
    emissions_kg_co2e double precision NOT NULL,
    low_kg_co2e       double precision NOT NULL,
    high_kg_co2e      double precision NOT NULL,
    mass_kg           double precision NOT NULL,
    subcategory       text,
    model             text NOT NULL,
    simulated         boolean NOT NULL,
    made              jsonb NOT NULL,                  -- cause, method, factors, when it was answered, the supplier's figure
    PRIMARY KEY (product_id, calculated_at)
);
