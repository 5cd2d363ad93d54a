-- Which products are asked in the stead of others of the same design.
-- Programs that know nothing of these columns ask about every product by itself.
-- Serves programs from schema 1 on.

ALTER TABLE products
    -- Names what siblings have in common (planning/variants.py). Set when the product is taken from the queue.
    ADD COLUMN design text,
    -- The product that is asked in this one's stead. While pending, this one waits for it.
    ADD COLUMN variant_of bigint;

-- The code of the product that was asked; NULL: this product was.
ALTER TABLE answers ADD COLUMN variant_of text;

-- Products that may answer for others of their design.
CREATE INDEX products_designs ON products (design, id) WHERE design IS NOT NULL AND variant_of IS NULL;
CREATE INDEX products_variants ON products (variant_of) WHERE variant_of IS NOT NULL;
CREATE INDEX products_ready ON products (id) WHERE status = 'pending' AND variant_of IS NULL;

-- A product that was changed is another product: whichever program changed it.
CREATE FUNCTION forget_design() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.design := NULL;
    NEW.variant_of := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER products_forget_design BEFORE UPDATE OF revision ON products
    FOR EACH ROW WHEN (OLD.revision IS DISTINCT FROM NEW.revision) EXECUTE FUNCTION forget_design();
