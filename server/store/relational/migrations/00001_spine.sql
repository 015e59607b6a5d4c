-- Written for SQLite and PostgreSQL alike: times are BIGINT Unix seconds (0 is
-- "not yet"), JSON is TEXT, hashes and keys are BYTEA.

-- +goose Up
CREATE TABLE products (
    name       TEXT   NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE releases (
    product      TEXT   NOT NULL REFERENCES products (name),
    build        BIGINT NOT NULL,
    version      TEXT   NOT NULL,
    path         TEXT   NOT NULL,
    sha256       BYTEA  NOT NULL,
    length       BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    submitted_at BIGINT NOT NULL,
    submitted_by TEXT   NOT NULL,
    PRIMARY KEY (product, build)
);

CREATE TABLE rollouts (
    id         TEXT   NOT NULL PRIMARY KEY,
    product    TEXT   NOT NULL,
    build      BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    sequence   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (product, sequence),
    FOREIGN KEY (product, build) REFERENCES releases (product, build)
);

CREATE TABLE audit (
    seq     BIGINT NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    who     TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    why     TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    prev    BYTEA  NOT NULL,
    hash    BYTEA  NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, seq);

CREATE TABLE leases (
    name       TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL,
    fence      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE role_versions (
    role    TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE heads (
    name       TEXT   NOT NULL PRIMARY KEY,
    version    BIGINT NOT NULL,
    etag       TEXT   NOT NULL,
    document   BYTEA  NOT NULL,
    fence      BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    hash       BYTEA  NOT NULL UNIQUE,
    role       TEXT   NOT NULL,
    products   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

CREATE TABLE uploads (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    sha256     BYTEA  NOT NULL,
    size       BIGINT NOT NULL,
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE batches (
    name       TEXT   NOT NULL PRIMARY KEY,
    ca         TEXT   NOT NULL,
    lab        BIGINT NOT NULL,
    daily_cap  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

-- How many enrolled on a day; it outlives them, so that withdrawing and
-- enrolling again does not get around the cap.
CREATE TABLE batch_days (
    batch TEXT   NOT NULL REFERENCES batches (name),
    day   BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (batch, day)
);

CREATE TABLE enrolments (
    device_key BYTEA  NOT NULL PRIMARY KEY,
    batch      TEXT   NOT NULL REFERENCES batches (name),
    day        BIGINT NOT NULL
);

CREATE TABLE vote_releases (
    id         BIGINT NOT NULL PRIMARY KEY,
    product    TEXT   NOT NULL,
    build      BIGINT NOT NULL,
    secret     BYTEA,
    active_set TEXT   NOT NULL,
    opened_at  BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL,
    UNIQUE (product, build),
    FOREIGN KEY (product, build) REFERENCES releases (product, build)
);

-- No row below says when it came or which handset it came from.
CREATE TABLE vote_issues (
    release_id BIGINT NOT NULL,
    key_set    TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    tag        BYTEA  NOT NULL,
    element    BYTEA  NOT NULL,
    PRIMARY KEY (release_id, key_set, class, tag)
);

CREATE TABLE vote_issued (
    release_id BIGINT NOT NULL,
    key_set    TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    batch      TEXT   NOT NULL,
    count      BIGINT NOT NULL,
    PRIMARY KEY (release_id, key_set, class, batch)
);

CREATE TABLE vote_nullifiers (
    release_id BIGINT NOT NULL,
    nullifier  BYTEA  NOT NULL,
    mac_part   BYTEA  NOT NULL,
    PRIMARY KEY (release_id, nullifier)
);

CREATE TABLE vote_cells (
    release_id BIGINT NOT NULL,
    key_set    TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    cell       BIGINT NOT NULL,
    count      BIGINT NOT NULL,
    PRIMARY KEY (release_id, key_set, class, cell)
);

CREATE TABLE vote_hours (
    release_id BIGINT NOT NULL,
    key_set    TEXT   NOT NULL,
    hour       BIGINT NOT NULL,
    count      BIGINT NOT NULL,
    PRIMARY KEY (release_id, key_set, hour)
);

CREATE TABLE lab_reports (
    product    TEXT   NOT NULL,
    build      BIGINT NOT NULL,
    class      TEXT   NOT NULL,
    device_key BYTEA  NOT NULL,
    batch      TEXT   NOT NULL,
    cell       BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (product, build, device_key, class)
);

CREATE TABLE lab_muted (
    device_key BYTEA NOT NULL PRIMARY KEY
);

-- +goose Down
DROP TABLE lab_muted;
DROP TABLE lab_reports;
DROP TABLE vote_hours;
DROP TABLE vote_cells;
DROP TABLE vote_nullifiers;
DROP TABLE vote_issued;
DROP TABLE vote_issues;
DROP TABLE vote_releases;
DROP TABLE enrolments;
DROP TABLE batch_days;
DROP TABLE batches;
DROP TABLE uploads;
DROP TABLE tokens;
DROP TABLE heads;
DROP TABLE role_versions;
DROP TABLE leases;
DROP TABLE audit;
DROP TABLE rollouts;
DROP TABLE releases;
DROP TABLE products;
