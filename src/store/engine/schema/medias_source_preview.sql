ALTER TABLE medias ADD COLUMN source_preview_url TEXT;
