-- How many events a webhook was too far behind to be told of: they were forgotten before it was there.
ALTER TABLE webhooks ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
