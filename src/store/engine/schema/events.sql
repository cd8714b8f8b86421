-- Events. There are none of earlier changes.
ALTER TABLE customers ADD COLUMN events_pruned INTEGER NOT NULL DEFAULT 0;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,    -- without gaps, and never reused, also not after pruning
    id BLOB NOT NULL CHECK (length(id) = 16),
    customer INTEGER NOT NULL REFERENCES customers (key),
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    message_stamp INTEGER,             -- `tm_create` of the message; NULL when it is about the conversation itself
    kind TEXT NOT NULL CHECK (kind IN ('conversation_created', 'conversation_updated',
        'conversation_message_created', 'conversation_message_updated')),
    created_at INTEGER NOT NULL,
    data TEXT NOT NULL,                -- the resource as the API showed it then: JSON in one line
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT;

CREATE INDEX events_of_customer ON events (customer, sequence);
CREATE INDEX events_of_message ON events (conversation, message_stamp);
