package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/pressly/goose/v3"

	"github.com/candor-ota/candor/server/store/relational"
)

// Schema gives the version of a ledger's tables, and the newest that this
// program knows. It opens the file to read only.
func Schema(ctx context.Context, file string) (has, knows int64, err error) {
	if _, err := os.Stat(file); err != nil {
		return 0, 0, fmt.Errorf("ledger: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(file, "_pragma=query_only(1)"))
	if err != nil {
		return 0, 0, fmt.Errorf("ledger %s: %w", file, err)
	}
	has, knows, err = relational.Schema(ctx, db, goose.DialectSQLite3)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, 0, fmt.Errorf("ledger %s: %w", file, err)
	}
	return has, knows, nil
}
