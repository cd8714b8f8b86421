-- Each customer can have its own retention of messages.
ALTER TABLE customers ADD COLUMN message_days INTEGER CHECK (message_days >= 0);

CREATE INDEX webhook_events_with_body ON webhook_events (account, received_at) WHERE body IS NOT NULL;
