-- Lists of products by supplier, and of those whose rows have notes, however many others there are.
-- Earlier programs do not read these.
-- Serves programs from schema 11 on.

CREATE INDEX products_by_supplier ON products ((facts->>'supplier'), id) WHERE facts->>'supplier' IS NOT NULL;
CREATE INDEX products_noted ON products (id) WHERE notes <> '[]';
