-- From here on footprints name the rates of their contributions. Programs before schema 7 cannot read those.
-- Serves programs from schema 7 on.

COMMENT ON COLUMN footprints.detail IS
    'contributions (each with the number of its rate, or in full before schema 8), bill, processes, provenance';
-- They are 2 to 4 KB now, as compressed as they were before; to compress them takes longer than all the rest.
ALTER TABLE footprints SET (toast_tuple_target = 4080);
