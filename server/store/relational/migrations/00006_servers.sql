-- +goose Up
-- The servers that work on this ledger, or did in the last weeks, by their own
-- word. Facts are fingerprints of what must be the same everywhere.
CREATE TABLE servers (
    id         TEXT   NOT NULL PRIMARY KEY,
    home       TEXT   NOT NULL,
    alone      BIGINT NOT NULL,
    facts      TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

-- The oldest migration that a server must know to work on this ledger. A
-- migration that servers before it could not live with writes a row; all others
-- only add.
CREATE TABLE schema_rule (
    name  TEXT   NOT NULL PRIMARY KEY,
    least BIGINT NOT NULL
);

-- +goose Down
DROP TABLE schema_rule;
DROP TABLE servers;
