CREATE INDEX conversations_answerable ON conversations (account, reply_token_at) WHERE reply_token IS NOT NULL;
