ALTER TABLE conversations ADD COLUMN member_count INTEGER;
