-- What a copied image comes from, whom an image is shared with, and two traits of images that came later.

-- Empty, or Standard: whether the image is looked over once it is made.
ALTER TABLE images ADD COLUMN detection_strategy TEXT NOT NULL DEFAULT '';
ALTER TABLE images ADD COLUMN secure_boot_support TEXT NOT NULL DEFAULT 'unsupported';

-- An image that was copied, and how; kept when its source is gone.
CREATE TABLE image_copies (
    image_id         TEXT PRIMARY KEY REFERENCES images (image_id) ON DELETE CASCADE,
    source_image_id  TEXT NOT NULL,
    source_region_id TEXT NOT NULL,
    -- 1 where a plain image becomes an encrypted one.
    encrypted        BIGINT NOT NULL CHECK (encrypted IN (0, 1)),
    -- Empty for the source's own key.
    kms_key_id       TEXT NOT NULL
);
CREATE INDEX image_copies_by_source ON image_copies (source_image_id);

-- Who may use an image beside its owner.
CREATE TABLE image_shares (
    image_id      TEXT NOT NULL REFERENCES images (image_id) ON DELETE CASCADE,
    -- '*' for everybody: a community image.
    account_id    TEXT NOT NULL,
    creation_time BIGINT NOT NULL,
    PRIMARY KEY (image_id, account_id)
);
CREATE INDEX image_shares_by_account ON image_shares (account_id, image_id);
