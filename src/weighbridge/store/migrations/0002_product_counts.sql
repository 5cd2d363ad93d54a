-- How many products are in each state, without counting them.
-- Serves programs from schema 1 on.
--
-- Each statement that changes products appends one row of differences; the sum over all rows is the exact
-- count, in every snapshot. Nobody ever updates a row, so writers neither wait for each other nor deadlock.
-- Now and then a writer folds rows that nobody else is folding into one.

CREATE TABLE product_count_changes (
    pending     bigint NOT NULL,
    processing  bigint NOT NULL,
    completed   bigint NOT NULL,
    failed      bigint NOT NULL
) WITH (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 1000000000
);

CREATE FUNCTION fold_product_counts() RETURNS void LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM product_count_changes WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM product_count_changes LIMIT 2000 FOR UPDATE SKIP LOCKED
        )) RETURNING pending, processing, completed, failed
    )
    INSERT INTO product_count_changes
    SELECT sum(pending), sum(processing), sum(completed), sum(failed) FROM gone HAVING count(*) > 0
$$;

CREATE FUNCTION count_new_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_count_changes
    SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
           count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed')
    FROM new_rows HAVING count(*) > 0;
    IF random() < 0.01 THEN
        PERFORM fold_product_counts();
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION count_deleted_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_count_changes
    SELECT -count(*) FILTER (WHERE status = 'pending'), -count(*) FILTER (WHERE status = 'processing'),
           -count(*) FILTER (WHERE status = 'completed'), -count(*) FILTER (WHERE status = 'failed')
    FROM old_rows HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION count_moved_products() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pending_ bigint;
    processing_ bigint;
    completed_ bigint;
    failed_ bigint;
BEGIN
    SELECT coalesce(sum(n) FILTER (WHERE status = 'pending'), 0),
           coalesce(sum(n) FILTER (WHERE status = 'processing'), 0),
           coalesce(sum(n) FILTER (WHERE status = 'completed'), 0),
           coalesce(sum(n) FILTER (WHERE status = 'failed'), 0)
    INTO pending_, processing_, completed_, failed_
    FROM (SELECT status, 1 AS n FROM new_rows UNION ALL SELECT status, -1 FROM old_rows) AS moves;
    IF pending_ <> 0 OR processing_ <> 0 OR completed_ <> 0 OR failed_ <> 0 THEN
        INSERT INTO product_count_changes VALUES (pending_, processing_, completed_, failed_);
        IF random() < 0.01 THEN
            PERFORM fold_product_counts();
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION count_no_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM product_count_changes;
    RETURN NULL;
END $$;

-- Creating the triggers keeps every writer out until this migration is committed, so the first count is exact.
CREATE TRIGGER products_counted_on_insert AFTER INSERT ON products
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_new_products();
CREATE TRIGGER products_counted_on_delete AFTER DELETE ON products
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_products();
CREATE TRIGGER products_counted_on_update AFTER UPDATE ON products
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_moved_products();
CREATE TRIGGER products_counted_on_truncate AFTER TRUNCATE ON products
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_products();

INSERT INTO product_count_changes
SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
       count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed')
FROM products;

-- The other three states have an index of their own already; lists ask for this one as well.
CREATE INDEX products_completed ON products (id) WHERE status = 'completed';
