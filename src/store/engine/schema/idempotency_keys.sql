CREATE TABLE idempotency_keys (
    customer INTEGER NOT NULL REFERENCES customers (key),
    name BLOB NOT NULL CHECK (length(name) = 32),
    request BLOB NOT NULL CHECK (length(request) = 32),
    created_kind TEXT NOT NULL CHECK (created_kind IN ('message', 'media', 'account')),
    created_id BLOB NOT NULL CHECK (length(created_id) = 16),
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (customer, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (noted_at);
