-- Why the model did not see the product's picture; NULL: it did, there was none, or nobody noted it.
-- Earlier programs leave the column empty and do not read it.
-- Serves programs from schema 11 on.

ALTER TABLE answers ADD COLUMN without_picture text;
