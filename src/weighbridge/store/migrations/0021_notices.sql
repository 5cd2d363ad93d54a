-- What the operator is told by webhook or by a program: an outbox, and what has been told so far.
-- Serves programs from schema 1 on.

CREATE TABLE notices (
    id           uuid PRIMARY KEY,                      -- of the happening and the channel; the same in every try
    channel      text NOT NULL CHECK (channel IN ('webhook', 'command')),
    kind         text NOT NULL,
    body         text NOT NULL,                         -- what is signed and sent, byte for byte, in every try
    happened_at  timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL,
    delivered_at timestamptz,
    given_up_at  timestamptz,
    last_error   text
);
CREATE INDEX notices_due ON notices (next_at) WHERE delivered_at IS NULL AND given_up_at IS NULL;

CREATE TABLE notice_state (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    busy         boolean NOT NULL,                      -- products were waiting or in progress at the last look
    last_call    bigint NOT NULL,                       -- the newest call, and the newest result, that were told of
    last_result  timestamptz NOT NULL,
    halt         text NOT NULL                          -- '', 'paused', 'stopped' or 'budget'
);
