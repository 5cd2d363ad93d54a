-- A product may have up to four pictures. The first stays in image_url or picture_sha256; further ones are here, each {"url": …} or
-- what is known of a picture that is held: {"sha256": …, "media_type": …, "width_px": …, "height_px": …, "size_bytes": …}.
-- Earlier programs do not read the column and ask with the first picture alone.
-- Serves programs from schema 11 on.

ALTER TABLE products ADD COLUMN more_pictures jsonb NOT NULL DEFAULT '[]';
