-- +goose Up
-- What people ask the audit log for: the newest of a kind, and where in it a
-- time begins and ends. And the events that led to a release.
CREATE INDEX audit_what ON audit (what, seq);
CREATE INDEX audit_at ON audit (at, seq);
CREATE INDEX events_release ON events (product, build, sequence);

-- +goose Down
DROP INDEX events_release;
DROP INDEX audit_at;
DROP INDEX audit_what;
