package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/scripts/world"
)

// amount is how much there is in a ledger.
type amount struct {
	handsets int // enrolled, and as many spent votes
	rollouts int // of the product; as many are live as one document takes
	releases int // of the product, published
}

// mostLive is how many rollouts one document takes with room to spare.
const mostLive = 60

// copyOf makes a data directory like that of a world, whose server must be
// down, with more in its ledger.
func copyOf(ctx context.Context, w *world.World, name string, n amount) (string, error) {
	data := w.Path(name)
	if err := os.CopyFS(data, os.DirFS(w.Path("data"))); err != nil {
		return "", err
	}
	if err := os.Chmod(data, 0o700); err != nil {
		return "", err
	}
	return data, fill(ctx, filepath.Join(data, "ledger.db"), n)
}

// fill writes rows as the service would have, past the service: ten million of
// them would take an hour.
func fill(ctx context.Context, file string, n amount) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-65536)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for _, s := range []struct {
		what, sql string
		n         int
	}{
		{"enrolments", `INSERT INTO enrolments (device_key, batch, day)
			SELECT CAST(printf('%032d', i) AS BLOB), 'world', 20000 + i % 1000 FROM n`, n.handsets},
		{"releases", `INSERT INTO releases (product, build, version, path, sha256, length, state, submitted_at, submitted_by)
			SELECT product, 1000000 + i, version, 'releases/' || product || '/' || (1000000 + i) || '.json', sha256, length, 'withdrawn', submitted_at, submitted_by
			FROM n, (SELECT * FROM releases ORDER BY build DESC LIMIT 1)`, n.releases - 1},
		{"rollouts", fmt.Sprintf(`INSERT INTO rollouts (id, product, build, state, document, version, sequence, created_at, updated_at)
			SELECT 'more-' || i, product, build, CASE WHEN i < %[1]d THEN state ELSE 'abandoned' END,
			json_set(document, '$.plan.channel', 'more-' || i, '$.state', CASE WHEN i < %[1]d THEN state ELSE 'abandoned' END),
			version, sequence + i, created_at, updated_at FROM n, (SELECT * FROM rollouts ORDER BY sequence DESC LIMIT 1)`, mostLive), n.rollouts - 1},
	} {
		if s.n <= 0 {
			continue
		}
		count := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) ", s.n)
		if _, err := db.ExecContext(ctx, count+s.sql); err != nil {
			return errors.Join(fmt.Errorf("fill the ledger with %s: %w", s.what, err), db.Close())
		}
	}
	err = fillMarks(ctx, db, n.handsets)
	if err == nil {
		_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return errors.Join(err, db.Close())
}

// fillMarks writes marks of spent votes for the only release, in buckets of 24
// as random ones come to have, spread over all places.
func fillMarks(ctx context.Context, db *sql.DB, n int) error {
	const each, size = 24, 14
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	buckets := uint64(n+each-1) / each
	for k := range buckets {
		first := k * (math.MaxUint64 / buckets)
		marks := make([]byte, 0, each*size)
		for j := range uint64(each) {
			marks = binary.BigEndian.AppendUint64(marks, first+j)
			marks = append(marks, 0, 1, 2, 3, 4, 5)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO vote_marks (release_id, first, marks)
			SELECT min(id), $1, $2 FROM vote_releases`, int64(first^1<<63), marks); err != nil {
			return errors.Join(fmt.Errorf("fill the ledger with spent marks: %w", err), tx.Rollback())
		}
	}
	return tx.Commit()
}
