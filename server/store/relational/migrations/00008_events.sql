-- +goose Up
-- Proposals on their way between the people who sign them. The body is the
-- proposal without anybody's word, a few hundred kilobytes: it stands here and
-- not among the blobs, so that a word is kept in one transaction with what it is
-- about, and a backup of the ledger has both.
CREATE TABLE events (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    product    TEXT   NOT NULL,
    build      BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    facts      TEXT   NOT NULL,
    body       BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    opened_at  BIGINT NOT NULL,
    opened_by  TEXT   NOT NULL,
    owner      TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    sequence   BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_sequence ON events (sequence);
CREATE INDEX events_state ON events (state, sequence);

-- What a key has said: a statement with its signatures, or a rejection.
CREATE TABLE event_words (
    event_id TEXT   NOT NULL,
    key_id   TEXT   NOT NULL,
    reject   BIGINT NOT NULL,
    said     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    added_by TEXT   NOT NULL,
    PRIMARY KEY (event_id, key_id, reject)
);

-- What people of the server said, without a key.
CREATE TABLE event_remarks (
    event_id TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    added_by TEXT   NOT NULL,
    person   TEXT   NOT NULL,
    reject   BIGINT NOT NULL,
    text     TEXT   NOT NULL,
    PRIMARY KEY (event_id, number)
);

-- +goose Down
DROP TABLE event_remarks;
DROP TABLE event_words;
DROP TABLE events;
