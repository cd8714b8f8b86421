ALTER TABLE conversations ADD COLUMN participant_count INTEGER NOT NULL DEFAULT 0;
UPDATE conversations SET participant_count = (
    SELECT count(*) FROM participants p WHERE p.conversation = conversations.key AND present
);
CREATE INDEX participants_present ON participants (conversation, position) WHERE present = 1;
