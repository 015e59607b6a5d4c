package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// dialect is relational.Dialect for PostgreSQL.
type dialect struct{ marks }

// The classes of advisory locks; the numbers only have to stay what they are.
const (
	lockOrder = 0x43414e44 // the ordered writes
	lockVotes = 0x564f5445 // the votes of a release, by its number
)

func (dialect) Order(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, 0)`, lockOrder)
	return err
}

// Hold takes an advisory lock, because it queues fairly: with row locks, groups
// that follow each other without a gap would keep a closing waiting for ever.
func (dialect) Hold(ctx context.Context, tx *sql.Tx, releases ...int64) error {
	for _, id := range releases {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, lockVotes, id); err != nil {
			return err
		}
	}
	return nil
}

func (dialect) Announce(ctx context.Context, tx *sql.Tx, head string) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, head)
	return err
}

// Clock is that of now, not of the begin of the transaction.
func (dialect) Clock() string { return `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)` }

// Channel is what the migration made the indexes of.
func (dialect) Channel() string { return relational.ChannelPostgres }

// Erase leaves it to autovacuum; see forgetSoon.
func (dialect) Erase(context.Context) error { return nil }

// errWeak means that the engine could lose acknowledged writes.
var errWeak = errors.New("PostgreSQL is not set up to keep what it acknowledges")

// Judge goes by SQLSTATE (appendix A of the PostgreSQL manual).
func (dialect) Judge(err error) (relational.Verdict, error) {
	var answer *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, errWeak), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return relational.Final, err
	case errors.As(err, &answer):
		return judge(err, answer.Code)
	case lostConnection(err):
		return relational.Gone, fmt.Errorf("%w: PostgreSQL cannot be reached: %w", store.ErrUnavailable, err)
	}
	return relational.Final, err
}

func judge(err error, state string) (relational.Verdict, error) {
	class := state[:min(2, len(state))]
	switch {
	// Serialization failure, deadlock, somebody else's row, a lock not got.
	case class == "40", state == "23505", state == "55P03":
		return relational.Lost, fmt.Errorf("%w: lost to other transactions again and again: %w", store.ErrBusy, err)
	// Shut down, starting up, too many connections, thrown out, turned standby.
	case class == "08", class == "57" && state != "57014", state == "53300", state == "25P03", state == "25006":
		return relational.Gone, fmt.Errorf("%w: PostgreSQL does not serve: %w", store.ErrUnavailable, err)
	// Disk full, out of memory, a limit of its configuration, input/output.
	case class == "53", class == "58":
		return relational.Final, fmt.Errorf("%w: PostgreSQL has run out of something: %w", store.ErrUnavailable, err)
	}
	return relational.Final, err
}

func lostConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}
