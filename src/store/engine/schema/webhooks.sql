-- Webhook endpoints of customers, and the deliveries to them.
CREATE TABLE webhook_endpoints (
    customer INTEGER PRIMARY KEY REFERENCES customers (key),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),   -- the customer's
    secret TEXT NOT NULL,              -- sealed; signs deliveries: `whsec_` and base64
    secret_previous TEXT,              -- sealed; signs too for a while, so that the receiver can rotate its own
    secret_previous_until INTEGER,
    slow INTEGER NOT NULL DEFAULT 0,   -- 1: the last attempt got no answer in time
    failing_since INTEGER,             -- the first failure after the last success
    failing_last INTEGER,              -- the last failure
    paused_until INTEGER,              -- the receiver asked for a pause; one delivery probes after it
    disabled_reason TEXT CHECK (disabled_reason IN ('gone', 'failing')),
    disabled_at INTEGER,
    CHECK ((secret_previous IS NULL) = (secret_previous_until IS NULL)),
    CHECK ((failing_since IS NULL) = (failing_last IS NULL)),
    CHECK ((disabled_reason IS NULL) = (disabled_at IS NULL))
) STRICT;

CREATE TABLE webhook_deliveries (
    event INTEGER PRIMARY KEY REFERENCES events (sequence) ON DELETE CASCADE,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),   -- the event's
    customer INTEGER NOT NULL REFERENCES customers (key),
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,           -- all of them
    tries INTEGER NOT NULL DEFAULT 0,  -- those that count for the schedule
    first_attempt_at INTEGER,          -- of the present schedule
    last_attempt_at INTEGER,
    tm_create INTEGER NOT NULL,
    tm_update INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_deliveries_of_customer ON webhook_deliveries (customer, tm_create);
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (customer, state, tm_create);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (conversation, event) WHERE state IN ('waiting', 'sending');

CREATE TABLE webhook_attempts (
    event INTEGER NOT NULL REFERENCES webhook_deliveries (event) ON DELETE CASCADE,
    number INTEGER NOT NULL,           -- from 1
    started_at INTEGER NOT NULL,
    duration_milliseconds INTEGER NOT NULL,
    status INTEGER,                    -- of the response
    error TEXT CHECK (error IN ('timeout', 'unreachable', 'address_refused', 'answer_unreadable', 'interrupted')),
    PRIMARY KEY (event, number),
    CHECK ((status IS NULL) = (error IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_lanes (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    customer INTEGER NOT NULL REFERENCES customers (key),
    in_flight INTEGER NOT NULL DEFAULT 0,          -- 1: its oldest delivery is in flight
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_lanes_due ON webhook_lanes (customer, in_flight, due_at);
