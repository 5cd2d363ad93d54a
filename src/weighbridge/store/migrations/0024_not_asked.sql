-- Figures that no language model was asked for now: simulated ones, and those of recorded answers. Every page says whether there are any.
-- Empty where all answers come from a model. Earlier programs do not read it.
-- Serves programs from schema 11 on.

CREATE INDEX footprints_not_asked ON footprints (simulated) WHERE simulated OR strpos(provider, 'recorded') > 0;
