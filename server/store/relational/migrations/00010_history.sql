-- +goose Up
-- How what people see of the votes of a release came to be: a row for each
-- period in which it changed, with totals alone. Old rows are thinned out
-- (history.go); when the votes close, one a day is left.
CREATE TABLE vote_history (
    release_id  BIGINT NOT NULL,
    period      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    healthy     BIGINT NOT NULL,
    rolled_back BIGINT NOT NULL,
    regressions BIGINT NOT NULL,
    declined    BIGINT NOT NULL,
    not_tried   BIGINT NOT NULL,
    due         BIGINT NOT NULL,
    silent      BIGINT NOT NULL,
    PRIMARY KEY (release_id, period)
);

-- For lists of rollouts that people look at, however many there are.
CREATE INDEX rollouts_state ON rollouts (state, product, created_at);
CREATE INDEX rollouts_created ON rollouts (created_at, id);
CREATE INDEX rollouts_build ON rollouts (product, build, sequence);

-- +goose Down
DROP INDEX rollouts_build;
DROP INDEX rollouts_created;
DROP INDEX rollouts_state;
DROP TABLE vote_history;
