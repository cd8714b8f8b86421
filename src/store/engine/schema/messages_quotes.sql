ALTER TABLE messages ADD COLUMN quoted_line_id TEXT;
ALTER TABLE messages ADD COLUMN mentions TEXT NOT NULL DEFAULT '[]';
CREATE INDEX messages_by_quote ON messages (conversation, quoted_line_id) WHERE quoted_line_id IS NOT NULL;
CREATE TABLE sent_ids (
    conversation INTEGER NOT NULL,
    line_id TEXT NOT NULL,
    message_stamp INTEGER NOT NULL,
    PRIMARY KEY (conversation, line_id),
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO sent_ids (conversation, line_id, message_stamp)
SELECT d.conversation, sent.value, d.message_stamp
FROM deliveries d JOIN json_each(d.line_message_ids) sent
WHERE d.line_message_ids IS NOT NULL AND sent.type = 'text';
CREATE INDEX sent_ids_of_message ON sent_ids (conversation, message_stamp);
