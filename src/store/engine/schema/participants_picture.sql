ALTER TABLE participants ADD COLUMN named_at INTEGER;
ALTER TABLE participants ADD COLUMN picture INTEGER REFERENCES medias (key);
CREATE INDEX participants_picture ON participants (picture) WHERE picture IS NOT NULL;

-- Known participants are looked up again with the next event, for their picture. A room has no name.
UPDATE participants SET named_at = 0
WHERE NOT EXISTS (
        SELECT 1 FROM lookups l WHERE l.conversation = participants.conversation AND l.target = participants.target
    )
    AND NOT EXISTS (
        SELECT 1 FROM conversations v
        WHERE v.key = participants.conversation AND v.chat_id = participants.target AND v.chat_kind = 'room'
    );
