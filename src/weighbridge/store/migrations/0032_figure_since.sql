-- Since when a figure is what it is. A recomputation that comes to the same figure replaces its footprint and `calculated_at`;
-- whoever was handed the figure is told of no newer one. Empty: since calculated_at.
-- What counts as the same is what a PACT file makes its id of; that also has the month in which the product was processed.
-- Whichever program replaces the footprint, the trigger keeps it. Earlier programs do not read the column.
-- Serves programs from schema 11 on.

ALTER TABLE footprints ADD COLUMN figure_since timestamptz;

CREATE FUNCTION sources_of(detail jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_array(source, year) ORDER BY place)
    FROM (
        SELECT coalesce(r.source, c.one ->> 'source') AS source, coalesce(r.year, c.one ->> 'year') AS year, min(place) AS place
        FROM named_contributions(detail) WITH ORDINALITY AS c (one, place)
        LEFT JOIN rates r ON r.id = (c.one ->> 'rate')::bigint
        GROUP BY 1, 2
    ) found
$$;
COMMENT ON FUNCTION sources_of IS 'publisher and year of the factors in footprints.detail, each once, in their order';

CREATE FUNCTION keep_figure_since() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz := coalesce(OLD.figure_since, OLD.calculated_at);
    was jsonb := OLD.detail -> 'footprint';
    is_now jsonb := NEW.detail -> 'footprint';
    is_primary boolean := coalesce(is_now -> 'supplier', 'null') <> 'null';
BEGIN
    NEW.figure_since := NULL;
    IF NEW.calculated_at = OLD.calculated_at THEN
        NEW.figure_since := OLD.figure_since;
    ELSIF OLD.emissions_kg_co2e = NEW.emissions_kg_co2e AND OLD.mass_kg = NEW.mass_kg
        AND was -> 'data_quality' = is_now -> 'data_quality'
        AND was -> 'boundary' IS NOT DISTINCT FROM is_now -> 'boundary'
        AND is_primary = (coalesce(was -> 'supplier', 'null') <> 'null')
        AND (NEW.detail ? 'cause' OR date_trunc('month', since AT TIME ZONE 'UTC') = date_trunc('month', NEW.calculated_at AT TIME ZONE 'UTC'))
    THEN
        IF is_primary OR sources_of(OLD.detail) IS NOT DISTINCT FROM sources_of(NEW.detail) THEN
            NEW.figure_since := since;
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_figure_since BEFORE UPDATE ON footprints FOR EACH ROW EXECUTE FUNCTION keep_figure_since();
