-- +goose Up
-- What people see of the votes of a release, which moves on by the hour: one for
-- all servers, so that asking several of them shows no more moments than asking
-- one. Hours go when the votes close.
CREATE TABLE vote_shown (
    release_id BIGINT NOT NULL PRIMARY KEY,
    period     BIGINT NOT NULL,
    counts     TEXT   NOT NULL,
    hours      TEXT   NOT NULL
);

-- +goose Down
DROP TABLE vote_shown;
