-- An upload belonged to the first message that it was sent with. Now each message that shows it has a row: one that names it in
-- its medias, in an address in them or in its text, or in a delivery that is not accepted yet.
CREATE TABLE message_uploads (
    conversation INTEGER NOT NULL,
    message_stamp INTEGER NOT NULL,
    media INTEGER NOT NULL REFERENCES medias (key),
    PRIMARY KEY (conversation, message_stamp, media),
    FOREIGN KEY (conversation, message_stamp) REFERENCES messages (conversation, tm_create)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_uploads_of_media ON message_uploads (media);

ALTER TABLE medias ADD COLUMN sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1));

INSERT INTO message_uploads (conversation, message_stamp, media)
SELECT conversation, message_stamp, key
FROM medias
WHERE message_stamp IS NOT NULL AND status = 'stored' AND source_message_id IS NULL AND source_url IS NULL;

UPDATE medias SET sent = 1, conversation = NULL, message_stamp = NULL
WHERE key IN (SELECT media FROM message_uploads);

-- Most messages have no medias; only the others are parsed.
INSERT INTO message_uploads (conversation, message_stamp, media)
SELECT said.conversation, said.tm_create, m.key
FROM (
    SELECT g.conversation, g.tm_create,
        json_array(g.text, CASE WHEN json_valid(g.medias) THEN json(g.medias) ELSE json('[]') END) AS shown
    FROM messages g
    WHERE g.status <> 'received' AND (g.medias <> '[]' OR instr(g.text, '/m/') > 0)
    UNION ALL
    SELECT d.conversation, d.message_stamp, CAST(d.body AS TEXT)
    FROM deliveries d
    WHERE d.body IS NOT NULL AND json_valid(CAST(d.body AS TEXT)) AND instr(d.body, CAST('/m/' AS BLOB)) > 0
) said
CROSS JOIN json_tree(said.shown) part
CROSS JOIN medias m ON m.sent AND m.id = unhex(
    substr(part.atom, iif(part.key = 'id', 1, instr(part.atom, '/m/') + 3), 36), '-')
WHERE part.type = 'text' AND (part.key = 'id' OR instr(part.atom, '/m/') > 0)
    AND m.customer = (SELECT customer FROM conversations v WHERE v.key = said.conversation)
ON CONFLICT DO NOTHING;

DROP INDEX medias_unsent;
CREATE INDEX medias_unsent ON medias (tm_create) WHERE conversation IS NULL AND NOT sent;
