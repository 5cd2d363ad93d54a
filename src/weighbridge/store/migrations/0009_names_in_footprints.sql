-- Contributions are found by the names of their fields, which stand once in each footprint (decision 0022), and no step has a
-- column that must be filled: a footprint may rest on other steps than those of today.
-- Programs of schema 8 take the values by position, and the positions are those that they know.
-- Serves programs from schema 8 on.

CREATE FUNCTION named_contributions(detail jsonb) RETURNS SETOF jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(one) WHEN 'object' THEN one ELSE (
        SELECT jsonb_object_agg(names.name, values.value)
        FROM jsonb_array_elements_text(coalesce(
            detail #> '{footprint,contribution_fields}',
            '["rate", "label", "activity", "emissions_kg_co2e", "low_kg_co2e", "high_kg_co2e"]'::jsonb
        )) WITH ORDINALITY AS names (name, place)
        JOIN jsonb_array_elements(one) WITH ORDINALITY AS values (value, place) USING (place)
    ) END
    FROM jsonb_array_elements(detail #> '{footprint,contributions}') AS one
$$;
COMMENT ON FUNCTION named_contributions IS
    'the contributions in footprints.detail as objects; where they have a rate, the rest of their fields is in the table rates';

ALTER TABLE footprints ALTER COLUMN category DROP NOT NULL, ALTER COLUMN subcategory DROP NOT NULL;

COMMENT ON COLUMN footprints.detail IS
    'written and read by store/stored_detail.py: the footprint, the answers that it rests on, and where each came from';
