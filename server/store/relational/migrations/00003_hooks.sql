-- +goose Up
-- How far each webhook has come in the audit log, which is their outbox.
CREATE TABLE hooks (
    name          TEXT   NOT NULL PRIMARY KEY,
    position      BIGINT NOT NULL,
    delivered     BIGINT NOT NULL,
    failures      BIGINT NOT NULL,
    gave_up       BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    failing_since BIGINT NOT NULL,
    next_try      BIGINT NOT NULL,
    last_error    TEXT   NOT NULL,
    delivered_at  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE hooks;
