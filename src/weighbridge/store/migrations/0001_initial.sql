-- The whole state of Weighbridge. PgQueuer's own tables are installed beside these by its own installer.

CREATE TABLE pictures (
    sha256      text PRIMARY KEY,
    media_type  text NOT NULL,
    width_px    integer NOT NULL,
    height_px   integer NOT NULL,
    data        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code               text NOT NULL UNIQUE,
    name               text NOT NULL,
    description        text NOT NULL,
    weight_kg          double precision CHECK (weight_kg > 0),
    image_url          text,
    picture_sha256     text REFERENCES pictures (sha256),
    country_of_origin  text,
    status             text NOT NULL DEFAULT 'pending'
                       CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    -- Grows with every change that matters to the result; a job carries the revision it was made for.
    revision           integer NOT NULL DEFAULT 1,
    attempts           integer NOT NULL DEFAULT 0,
    -- Asked alone because an answer in a group was no good.
    alone              boolean NOT NULL DEFAULT false,
    error_kind         text,
    error              text,
    job_id             bigint,
    -- What calls without a usable answer have cost so far; the answers' own cost is with them.
    spent_usd          double precision NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    completed_at       timestamptz,
    CHECK (image_url IS NULL OR picture_sha256 IS NULL)
);
CREATE INDEX products_waiting ON products (id) WHERE status = 'pending';
CREATE INDEX products_working ON products (job_id) WHERE status = 'processing';
CREATE INDEX products_failed ON products (id) WHERE status = 'failed';

-- One row per request to a provider, paid or not.
CREATE TABLE calls (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at           timestamptz NOT NULL,
    latency_s            double precision NOT NULL,
    waited_s             double precision NOT NULL,
    provider             text NOT NULL,
    model                text NOT NULL,
    simulated            boolean NOT NULL,
    lane                 text NOT NULL,
    step                 text NOT NULL,
    step_version         text NOT NULL,
    job_id               bigint,
    product_ids          bigint[] NOT NULL,
    outcome              text NOT NULL,   -- ok, or the name of the error
    error                text,
    request_id           text,
    estimated_tokens     integer NOT NULL, -- as reserved: prompt + output allowance
    output_allowance     integer NOT NULL,
    input_tokens         integer NOT NULL,
    cached_input_tokens  integer NOT NULL,
    output_tokens        integer NOT NULL,
    cost_usd             double precision NOT NULL
);
CREATE INDEX calls_started_at ON calls (started_at);
CREATE INDEX calls_product_ids ON calls USING gin (product_ids);

-- The checkpoint: one accepted answer per product, step, version and question. What a simulator said is
-- kept apart from what a provider said.
CREATE TABLE answers (
    product_id            bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    step                  text NOT NULL,
    step_version          text NOT NULL,
    question_fingerprint  text NOT NULL,
    simulated             boolean NOT NULL,
    provider              text NOT NULL,
    model                 text NOT NULL,
    call_id               bigint NOT NULL,
    answer                jsonb NOT NULL,
    cost_usd              double precision NOT NULL, -- this product's share of the call
    answered_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, step, step_version, question_fingerprint, simulated)
);

CREATE TABLE footprints (
    product_id         bigint PRIMARY KEY REFERENCES products (id) ON DELETE CASCADE,
    revision           integer NOT NULL,
    emissions_kg_co2e  double precision NOT NULL,
    low_kg_co2e        double precision NOT NULL,
    high_kg_co2e       double precision NOT NULL,
    mass_kg            double precision NOT NULL,
    data_quality       double precision NOT NULL,
    category           text NOT NULL,
    subcategory        text NOT NULL,
    provider           text NOT NULL,
    model              text NOT NULL,
    simulated          boolean NOT NULL,
    cost_usd           double precision NOT NULL, -- this product's share of the calls behind its answers
    detail             jsonb NOT NULL,            -- contributions, bill, processes, provenance
    calculated_at      timestamptz NOT NULL DEFAULT now()
);

-- One row: what the operator wants and what the dispatcher is doing.
CREATE TABLE queue_state (
    only_row                 boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    running                  boolean NOT NULL DEFAULT true,
    paused_reason            text,
    batch_size               integer NOT NULL,
    batch_delay_ms           integer NOT NULL,
    max_concurrent_requests  integer,          -- NULL: never set by anybody; the default is then not a ceiling in continuous pacing
    pacing                   text NOT NULL,
    requests_per_minute      integer NOT NULL,
    tokens_per_minute        bigint NOT NULL,
    current_batch            integer NOT NULL DEFAULT 0,
    next_batch_at            timestamptz,
    updated_at               timestamptz NOT NULL DEFAULT now()
);

-- One row per provider account: the limiter's memory, shared by every process.
CREATE TABLE quota (
    account     text PRIMARY KEY,
    state       bytea NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- What output lengths were seen, so that allowances fit.
CREATE TABLE output_lengths (
    model       text PRIMARY KEY,
    state       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rejected_rows (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id    uuid NOT NULL,
    row_number   bigint NOT NULL,
    field        text NOT NULL,
    reason       text NOT NULL,
    code         text,
    rejected_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rejected_rows_import ON rejected_rows (import_id, row_number);

-- Which products one `weighbridge run FILE` is about, whatever else is stored.
CREATE TABLE scopes (
    import_id   uuid NOT NULL,
    product_id  bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    PRIMARY KEY (import_id, product_id)
);
