-- The present schema. New files are created from it; the migrations in src/store/engine/schema bring older files to it.
-- Times are microseconds since 1970 (UTC). Public ids are UUIDs in 16 bytes. `key` is the private integer by which tables
-- refer to each other. Lists are ordered by `tm_create`, which is unique and strictly increasing within the database whatever
-- the machine's clock does.

-- One row: the last time that was used as a `tm_create`.
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_stamp INTEGER NOT NULL
) STRICT;

INSERT INTO clock (only, last_stamp) VALUES (1, 0);

-- One row: a known text, sealed with the key of all secrets in this file, so that a wrong key is detected at once. The values
-- of a column marked "sealed" are written and read only by the functions `seal` and `unseal` of the program's connections.
CREATE TABLE sealing (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    probe TEXT NOT NULL
) STRICT;

-- A column `checksum` detects changes by faults of the disk or of memory. The function `checksum(…)` of the program's connections
-- computes it from the columns that its comment names. A result of `checksum2(…)` is 2^32 or more; rows of an earlier version keep
-- a smaller one, of fewer columns, until they change.

-- Customers. Everything else belongs to exactly one of them.
CREATE TABLE customers (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    webhook_method TEXT NOT NULL,
    webhook_uri TEXT NOT NULL,
    message_days INTEGER CHECK (message_days >= 0),    -- how long messages are kept, 0: forever; NULL: as configured
    tm_create INTEGER NOT NULL UNIQUE,
    tm_update INTEGER NOT NULL,
    events_pruned INTEGER NOT NULL DEFAULT 0,      -- up to this sequence its events may be pruned
    sources TEXT NOT NULL DEFAULT '{}'             -- a JSON object: the source of each field: default, token, call or file
) STRICT;

-- LINE channels. A removed one keeps its row, because conversations refer to it, but not its secrets. When the same customer
-- connects its bot again, the new row takes its place and its key.
CREATE TABLE accounts (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    customer INTEGER NOT NULL REFERENCES customers (key),
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    secret TEXT NOT NULL,              -- sealed; LINE signs webhooks with it
    secret_next TEXT,                  -- sealed; replaces it during a rotation, in which either signs
    token TEXT NOT NULL,               -- sealed; authenticates us at LINE; '' until the first one is fetched
    channel_id TEXT,                   -- tokens are fetched with it and live for minutes; NULL for a static token
    token_expires_at INTEGER,          -- of a fetched token
    token_refresh_at INTEGER,          -- when the next one is fetched; NULL for a static token
    delivery_mode TEXT NOT NULL DEFAULT 'prefer_reply' CHECK (delivery_mode IN ('prefer_reply', 'push_only')),
    check_state TEXT NOT NULL DEFAULT 'unchecked' CHECK (check_state IN ('unchecked', 'good', 'refused', 'unreachable')),
    check_message TEXT NOT NULL DEFAULT '',
    bot_user_id TEXT NOT NULL DEFAULT '',          -- the four columns of the bot: from the last good check; before one, this
                                                   -- column comes from the first webhook
    bot_basic_id TEXT NOT NULL DEFAULT '',
    bot_display_name TEXT NOT NULL DEFAULT '',
    bot_chat_mode TEXT NOT NULL DEFAULT '',
    suspension_reason TEXT CHECK (suspension_reason IN ('token', 'permission', 'quota', 'redirect')),
    suspension_message TEXT NOT NULL DEFAULT '',       -- LINE's error message
    suspended_until INTEGER,              -- when one message probes whether LINE accepts again
    tm_create INTEGER NOT NULL UNIQUE,
    tm_update INTEGER NOT NULL,
    tm_delete INTEGER,
    sources TEXT NOT NULL DEFAULT '{}',            -- like those of a customer
    CHECK ((suspension_reason IS NULL) = (suspended_until IS NULL)),
    CHECK ((channel_id IS NULL) = (token_refresh_at IS NULL))
) STRICT;

CREATE INDEX accounts_of_customer ON accounts (customer, tm_create);
CREATE INDEX accounts_refresh ON accounts (token_refresh_at) WHERE token_refresh_at IS NOT NULL;

-- One conversation for each chat of an account. `reach` and `standby` follow LINE's events by LINE's time, since events
-- may arrive out of order.
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    customer INTEGER NOT NULL REFERENCES customers (key),
    account INTEGER NOT NULL REFERENCES accounts (key),
    chat_kind TEXT NOT NULL CHECK (chat_kind IN ('user', 'group', 'room')),
    chat_id TEXT NOT NULL,             -- LINE's id of the user, group or room
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    reach TEXT NOT NULL DEFAULT 'open' CHECK (reach IN ('open', 'blocked', 'left')),
    reach_at INTEGER NOT NULL DEFAULT 0,           -- LINE's time of the event that set `reach`
    standby INTEGER NOT NULL DEFAULT 0,            -- 1: another system has control, and we must not write
    standby_at INTEGER NOT NULL DEFAULT 0,         -- LINE's time of the event that set `standby`
    reply_token TEXT,                  -- LINE's newest one-time token for a free reply; NULL once used or tried
    reply_token_at INTEGER,            -- when it arrived here: it lives about a minute
    read_token TEXT,                   -- LINE's markAsReadToken of the newest message that had one
    read_token_at INTEGER NOT NULL DEFAULT 0,      -- LINE's time of that message
    participant_count INTEGER NOT NULL DEFAULT 0,  -- present rows of `participants`
    member_count INTEGER,              -- people in a group or room, as LINE last said: a push costs one message for each
    tm_create INTEGER NOT NULL UNIQUE,
    tm_update INTEGER NOT NULL,
    UNIQUE (account, chat_id)
) STRICT;

CREATE INDEX conversations_of_customer ON conversations (customer, tm_create);
CREATE INDEX conversations_answerable ON conversations (account, reply_token_at) WHERE reply_token IS NOT NULL;

-- The other side at position 1, then members of a group or room in the order in which they spoke. Position 0 is the
-- account itself and has no row.
CREATE TABLE participants (
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    position INTEGER NOT NULL CHECK (position > 0),
    target TEXT NOT NULL,              -- LINE's id of the user, group or room
    target_name TEXT NOT NULL,
    named_at INTEGER,                  -- when LINE last returned, or refused, the name and the picture
    picture INTEGER REFERENCES medias (key),       -- the file of the picture; NULL for none
    present INTEGER NOT NULL DEFAULT 1 CHECK (present IN (0, 1)),  -- 0 for those who have left
    present_at INTEGER NOT NULL DEFAULT 0,         -- LINE's time of the event that set `present`
    PRIMARY KEY (conversation, position),
    UNIQUE (conversation, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX participants_present ON participants (conversation, position) WHERE present = 1;
CREATE INDEX participants_picture ON participants (picture) WHERE picture IS NOT NULL;

-- Names and pictures to look up at LINE, after the webhook that mentioned them was answered.
CREATE TABLE lookups (
    conversation INTEGER NOT NULL,
    target TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, target),
    FOREIGN KEY (conversation, target) REFERENCES participants (conversation, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX lookups_due ON lookups (due_at);

-- Clustered for the one hot query, the newest messages of a conversation: a page lies together on disk however large
-- the file grows.
CREATE TABLE messages (
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    tm_create INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    status TEXT NOT NULL CHECK (status IN ('received', 'sending', 'sent', 'failed')),
    source_target TEXT NOT NULL,       -- LINE's id of the speaker, '' for our own messages
    text TEXT NOT NULL,
    medias TEXT NOT NULL DEFAULT '[]', -- a JSON array
    line_id TEXT,                      -- LINE's id of a received message
    occurred_at INTEGER,               -- LINE's time of a received message
    edited_at INTEGER,                 -- LINE's time of its last edit
    quote_token TEXT,                  -- LINE's token for quoting it
    quoted_line_id TEXT,               -- LINE's id of the message that it quotes
    mentions TEXT NOT NULL DEFAULT '[]',           -- a JSON array
    failure_reason TEXT CHECK (failure_reason IN
        ('refused', 'unreachable', 'outcome_unknown', 'account_removed', 'internal')),
    failure_message TEXT,
    cost INTEGER,                      -- messages of LINE's quota that sending it used; NULL: none yet, or unknown
    tm_update INTEGER NOT NULL,
    tm_delete INTEGER,                 -- when it was unsent; the row stays, its text does not
    checksum INTEGER,                  -- `checksum(…)` of what it shows, updated with each change; NULL: none
    PRIMARY KEY (conversation, tm_create)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX messages_by_id ON messages (id);
CREATE UNIQUE INDEX messages_by_line_id ON messages (conversation, line_id) WHERE line_id IS NOT NULL;

CREATE INDEX messages_by_quote ON messages (conversation, quoted_line_id) WHERE quoted_line_id IS NOT NULL;

-- LINE's ids of sent messages, one for each bubble, by which LINE refers to a quoted message.
CREATE TABLE sent_ids (
    conversation INTEGER NOT NULL,
    line_id TEXT NOT NULL,
    message_stamp INTEGER NOT NULL,    -- `tm_create` of the message
    PRIMARY KEY (conversation, line_id),
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT, WITHOUT ROWID;

CREATE INDEX sent_ids_of_message ON sent_ids (conversation, message_stamp);

-- Events in their order: one row for each change of what the API shows, written in the transaction of its cause. A row changes
-- only when content is unsent or erased; old rows are pruned.
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
    checksum INTEGER,                  -- of all other columns; NULL: none
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT;

CREATE INDEX events_of_customer ON events (customer, sequence);
CREATE INDEX events_of_message ON events (conversation, message_stamp);

-- Files: those of received messages and pictures of participants, to be fetched, and uploads of customers, to be sent. The bytes
-- are in the media store beside the database, named by the id; a row is `stored` only when the whole file is on disk.
CREATE TABLE medias (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),   -- random: it is part of public addresses
    customer INTEGER NOT NULL REFERENCES customers (key),
    conversation INTEGER,              -- to which it belongs; NULL for an upload, which any number of messages may show
    message_stamp INTEGER,             -- of its message; NULL for the picture of a participant
    kind TEXT NOT NULL CHECK (kind IN ('image', 'video', 'audio', 'file')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'stored', 'gone')),
    filename TEXT NOT NULL,
    content_type TEXT,                 -- found in the bytes, not as declared
    size INTEGER,                      -- while it is pending: the length that LINE announced, if any
    sha256 BLOB CHECK (length(sha256) = 32),
    source_message_id TEXT,            -- LINE's id of the message whose content it is
    source_url TEXT,                   -- its address, if the content is not at LINE
    source_preview_url TEXT,           -- the address of its preview then; NULL for none
    due_at INTEGER,                    -- when it is fetched (again) or removed; NULL once that is done
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '',
    tm_create INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),        -- 1: an upload that a message was sent with
    task TEXT GENERATED ALWAYS AS (    -- the task of the media worker at `due_at`
        CASE status WHEN 'gone' THEN 'remove'
        WHEN 'pending' THEN CASE WHEN source_url IS NULL THEN 'fetch_line' ELSE 'fetch_elsewhere' END END) VIRTUAL,
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT;

CREATE INDEX medias_due ON medias (task, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX medias_unsent ON medias (tm_create) WHERE conversation IS NULL AND NOT sent;
CREATE INDEX medias_of_message ON medias (conversation, message_stamp) WHERE conversation IS NOT NULL;

-- How many bytes the stored files of a customer have. Triggers count them, so that every change is counted and the sum is known
-- without reading all files.
CREATE TABLE media_usage (
    customer INTEGER PRIMARY KEY REFERENCES customers (key),
    bytes INTEGER NOT NULL
) STRICT;

CREATE TRIGGER media_usage_of_new AFTER INSERT ON medias WHEN NEW.status = 'stored' BEGIN
    INSERT INTO media_usage (customer, bytes) VALUES (NEW.customer, NEW.size)
    ON CONFLICT (customer) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER media_usage_of_changed AFTER UPDATE OF status, size ON medias
WHEN OLD.status = 'stored' OR NEW.status = 'stored' BEGIN
    INSERT INTO media_usage (customer, bytes)
    VALUES (NEW.customer, iif(NEW.status = 'stored', NEW.size, 0) - iif(OLD.status = 'stored', OLD.size, 0))
    ON CONFLICT (customer) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER media_usage_of_removed AFTER DELETE ON medias WHEN OLD.status = 'stored' BEGIN
    UPDATE media_usage SET bytes = bytes - OLD.size WHERE customer = OLD.customer;
END;

-- Which uploads a message shows. The file is kept as long as a message shows it.
CREATE TABLE message_uploads (
    conversation INTEGER NOT NULL,
    message_stamp INTEGER NOT NULL,
    media INTEGER NOT NULL REFERENCES medias (key),
    PRIMARY KEY (conversation, message_stamp, media),
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_uploads_of_media ON message_uploads (media);

-- Idempotency keys: a row is written in the transaction of what the request created, and names it to a repetition.
CREATE TABLE idempotency_keys (
    customer INTEGER NOT NULL REFERENCES customers (key),
    name BLOB NOT NULL CHECK (length(name) = 32),      -- the SHA-256 of the client's key
    request BLOB NOT NULL CHECK (length(request) = 32),            -- a SHA-256 of method, path, query and body
    created_kind TEXT NOT NULL CHECK (created_kind IN ('message', 'media', 'account')),
    created_id BLOB NOT NULL CHECK (length(created_id) = 16),
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (customer, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (noted_at);

-- The journal: every event that LINE sent, once, as LINE wrote it. It identifies copies of an event, and a later version can
-- replay what this one did not understand.
CREATE TABLE webhook_events (
    key INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (key),
    event_id TEXT NOT NULL,            -- LINE's webhookEventId
    kind TEXT NOT NULL,                -- LINE's type of the event, even if unknown
    result TEXT NOT NULL CHECK (result IN ('applied', 'unread', 'failed')),
    error TEXT NOT NULL DEFAULT '',    -- why applying it failed
    line_message_id TEXT,              -- the message that it is about
    occurred_at INTEGER,               -- by LINE's clock
    received_at INTEGER NOT NULL,
    body TEXT,                         -- NULL once its message was unsent, or when retention ends
    checksum INTEGER,                  -- of event_id, received_at and body; NULL: none
    UNIQUE (account, event_id)
) STRICT;

CREATE INDEX webhook_events_with_body ON webhook_events (account, received_at) WHERE body IS NOT NULL;
CREATE INDEX webhook_events_by_message ON webhook_events (account, line_message_id) WHERE line_message_id IS NOT NULL;

-- The outbox: one row for each request that must reach LINE. Body and retry key are frozen before the first attempt,
-- because LINE executes a request once only while both stay the same.
CREATE TABLE deliveries (
    key INTEGER PRIMARY KEY AUTOINCREMENT,         -- the order within a conversation
    conversation INTEGER NOT NULL,
    message_stamp INTEGER NOT NULL,    -- `tm_create` of the message
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'accepted', 'failed')),
    body BLOB,                         -- the exact bytes; NULL once accepted
    retry_key BLOB NOT NULL CHECK (length(retry_key) = 16),
    reply_token TEXT,                  -- set while it is or was sent as a reply, which is never repeated
    attempts INTEGER NOT NULL DEFAULT 0,
    ambiguous INTEGER NOT NULL DEFAULT 0,          -- 1: an attempt may have been executed
    created_at INTEGER NOT NULL,
    first_attempt_at INTEGER,          -- with the current retry key
    last_attempt_at INTEGER,
    last_error TEXT NOT NULL DEFAULT '',
    request_id TEXT,                   -- LINE's id of the accepting request, for LINE's support
    accepted_request_id TEXT,          -- the same, when a later attempt reported the acceptance
    line_message_ids TEXT,             -- a JSON array of LINE's ids
    cost INTEGER,                      -- once accepted: how much of LINE's quota it used; NULL: unknown
    checksum INTEGER,                  -- of the body and the retry key; NULL: none
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT;

CREATE INDEX deliveries_waiting ON deliveries (conversation, key) WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_of_message ON deliveries (conversation, message_stamp);

-- Lanes: one row for each conversation with deliveries to make. Only the oldest of a lane may be in flight, and a waiting lane
-- does not block others.
CREATE TABLE lanes (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    account INTEGER NOT NULL REFERENCES accounts (key),
    in_flight INTEGER NOT NULL DEFAULT 0,          -- 1: its oldest delivery is in flight
    slow INTEGER NOT NULL DEFAULT 0,   -- 1: the last attempt timed out
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX lanes_due ON lanes (account, in_flight, slow, due_at);

-- The webhook endpoint of a customer, from its first delivery on. The address is in `customers`.
CREATE TABLE webhook_endpoints (
    customer INTEGER PRIMARY KEY REFERENCES customers (key),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),   -- the customer's
    secret TEXT NOT NULL,              -- sealed; signs deliveries: `whsec_` and base64
    secret_previous TEXT,              -- sealed; signs too for a while, so that the receiver can rotate its own
    secret_previous_until INTEGER,
    slow INTEGER NOT NULL DEFAULT 0,   -- 1: the last attempt timed out
    failing_since INTEGER,             -- the first failure after the last success
    failing_last INTEGER,              -- the last failure
    paused_until INTEGER,              -- the receiver asked for a pause; one delivery probes after it
    disabled_reason TEXT CHECK (disabled_reason IN ('gone', 'failing')),
    disabled_at INTEGER,
    CHECK ((secret_previous IS NULL) = (secret_previous_until IS NULL)),
    CHECK ((failing_since IS NULL) = (failing_last IS NULL)),
    CHECK ((disabled_reason IS NULL) = (disabled_at IS NULL))
) STRICT;

-- Webhook deliveries: one row for each event of a customer with a webhook address, with the id of the event. The body is made
-- from the event at each attempt, so that it contains nothing that was unsent.
CREATE TABLE webhook_deliveries (
    event INTEGER PRIMARY KEY REFERENCES events (sequence) ON DELETE CASCADE,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),   -- the event's
    customer INTEGER NOT NULL REFERENCES customers (key),
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,           -- all of them
    tries INTEGER NOT NULL DEFAULT 0,  -- those that count for the schedule
    first_attempt_at INTEGER,          -- of the current schedule
    last_attempt_at INTEGER,
    tm_create INTEGER NOT NULL,
    tm_update INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_deliveries_of_customer ON webhook_deliveries (customer, tm_create);
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (customer, state, tm_create);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (conversation, event) WHERE state IN ('waiting', 'sending');

-- The newest attempts of each delivery.
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

-- Webhook lanes: one row for each conversation with events to deliver. Only the oldest of a lane may be in flight, and a waiting
-- lane does not block others.
CREATE TABLE webhook_lanes (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    customer INTEGER NOT NULL REFERENCES customers (key),
    in_flight INTEGER NOT NULL DEFAULT 0,          -- 1: its oldest delivery is in flight
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_lanes_due ON webhook_lanes (customer, in_flight, due_at);
