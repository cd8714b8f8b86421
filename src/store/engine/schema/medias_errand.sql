ALTER TABLE medias ADD COLUMN errand TEXT GENERATED ALWAYS AS (
    CASE status WHEN 'gone' THEN 'remove'
    WHEN 'pending' THEN CASE WHEN source_url IS NULL THEN 'fetch_line' ELSE 'fetch_elsewhere' END END) VIRTUAL;
DROP INDEX medias_due;
CREATE INDEX medias_due ON medias (errand, due_at) WHERE due_at IS NOT NULL;
