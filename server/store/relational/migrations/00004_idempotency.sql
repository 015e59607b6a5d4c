-- +goose Up
-- Answers to changes, for senders that repeat them. Only hashes of their keys
-- are kept. A status of 0 is a change that somebody is still making.
CREATE TABLE idempotency (
    who           TEXT   NOT NULL,
    key_hash      BYTEA  NOT NULL,
    request_hash  BYTEA  NOT NULL,
    claim         TEXT   NOT NULL,
    claimed_until BIGINT NOT NULL,
    status        BIGINT NOT NULL,
    header        TEXT   NOT NULL,
    body          BYTEA  NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (who, key_hash)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- +goose Down
DROP TABLE idempotency;
