-- +goose Up
ALTER TABLE tokens ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT '[]';
UPDATE tokens SET owner = 'local:' || name;

CREATE TABLE logins (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    next       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX logins_expiry ON logins (expires_at);

CREATE TABLE sessions (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       BYTEA  NOT NULL UNIQUE,
    person     TEXT   NOT NULL,
    issuer     TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    groups     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions;
DROP TABLE logins;
ALTER TABLE tokens DROP COLUMN scope;
ALTER TABLE tokens DROP COLUMN owner;
