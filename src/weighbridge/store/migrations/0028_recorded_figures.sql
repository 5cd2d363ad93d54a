-- Figures of recorded answers have an index of their own: where every figure was simulated, the one of both kinds was as long as the
-- table, and every page read all of it to find that none was recorded.
-- Serves programs from schema 11 on.

CREATE INDEX footprints_recorded ON footprints (provider) WHERE strpos(provider, 'recorded') > 0;
