-- Accounts that opened the snapshot service, where the configuration says that it is closed at first.

CREATE TABLE snapshot_services (
    account_id TEXT PRIMARY KEY,
    opened_at  BIGINT NOT NULL
);
