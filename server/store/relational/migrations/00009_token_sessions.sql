-- +goose Up
-- Sessions that an API token began: they end with it. Servers that do not know
-- the column take no such session for one of theirs, as it has no issuer.
ALTER TABLE sessions ADD COLUMN token_id TEXT NOT NULL DEFAULT '';

-- What people call a server, and which program it runs.
ALTER TABLE servers ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE servers ADD COLUMN program TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE servers DROP COLUMN program;
ALTER TABLE servers DROP COLUMN name;
ALTER TABLE sessions DROP COLUMN token_id;
