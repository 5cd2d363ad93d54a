-- What the contributions of many products have in common: a factor, and where it is from. Each is stored once, under a
-- number that is made of its content (decision 0020). From the next schema on footprints name it instead of carrying it;
-- programs from this one on read both.
-- Serves programs from schema 1 on.

CREATE TABLE rates (
    id             bigint PRIMARY KEY,
    kind           text NOT NULL,
    factor_key     text NOT NULL,
    activity_unit  text NOT NULL,
    factor         double precision NOT NULL,   -- kg CO2e per unit of activity
    source         text NOT NULL,
    source_id      text NOT NULL,
    year           text NOT NULL,
    region         text NOT NULL,
    licence        text NOT NULL,
    is_proxy       boolean NOT NULL
);
