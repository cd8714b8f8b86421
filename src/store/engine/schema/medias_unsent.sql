CREATE INDEX medias_unsent ON medias (tm_create) WHERE conversation IS NULL;
