-- The source of each field. Existing values may come from a call, which only the file may replace.
ALTER TABLE customers ADD COLUMN sources TEXT NOT NULL DEFAULT '{}';

ALTER TABLE accounts ADD COLUMN sources TEXT NOT NULL DEFAULT '{}';

UPDATE customers SET sources = json_patch('{}', json_object(
    'name', iif(name <> '', 'call', NULL),
    'detail', iif(detail <> '', 'call', NULL),
    'webhook_method', iif(webhook_uri <> '' OR webhook_method NOT IN ('', 'POST'), 'call', NULL),
    'webhook_uri', iif(webhook_uri <> '', 'call', NULL),
    'message_days', iif(message_days IS NOT NULL, 'call', NULL)));
