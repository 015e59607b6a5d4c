package relational

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// Schema gives the version that the tables have, and the newest that this
// program knows. It changes nothing and waits for no migration.
func Schema(ctx context.Context, db *sql.DB, dialect goose.Dialect) (has, knows int64, err error) {
	p, err := provider(db, dialect)
	if err != nil {
		return 0, 0, err
	}
	return p.GetVersions(ctx)
}
