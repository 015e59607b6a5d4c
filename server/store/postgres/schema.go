package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/candor-ota/candor/server/store/relational"
)

// Schema gives the version of a ledger's tables, and the newest that this
// program knows. It changes nothing, and refuses a server that could lose what
// it acknowledged.
func Schema(ctx context.Context, c Config) (has, knows int64, err error) {
	config, err := connection(c)
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: %w", err)
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(checkDurable), stdlib.OptionBeforeConnect(c.renew))
	has, knows, err = relational.Schema(ctx, db, goose.DialectPostgres)
	if err = errors.Join(err, db.Close()); err != nil {
		_, told := dialect{}.Judge(err)
		return 0, 0, fmt.Errorf("ledger in PostgreSQL: %w", told)
	}
	return has, knows, nil
}
