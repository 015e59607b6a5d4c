package carry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/server/store/relational"
)

// Ledger is a ledger that can be carried: sqlite's and postgres's.
type Ledger interface {
	View(ctx context.Context, f func(*relational.View) error) error
	Fill(ctx context.Context, what string, f func(*relational.Filling) error) error
	FilledFrom(ctx context.Context) (string, error)
	VerifyAudit(ctx context.Context) error
	AuditHead(ctx context.Context) (audit.Head, error)
}

// ErrFilling means that a move or a restore into the ledger is not finished.
var ErrFilling = errors.New("the ledger is being moved here and is not whole; run `candor-server migrate-store` again until it says that all is there")

// Ready refuses a ledger that is not whole.
func Ready(ctx context.Context, l any) error {
	c, ok := l.(Ledger)
	if !ok {
		return nil
	}
	from, err := c.FilledFrom(ctx)
	if err == nil && from != "" {
		err = ErrFilling
	}
	return err
}

// why says of each table what a backup does with it: empty means that its rows
// are in; otherwise it says why they are not.
var why = map[string]string{
	"products": "", "releases": "", "rollouts": "", "role_versions": "", "heads": "", "tokens": "", "hooks": "",
	"batches": "", "batch_days": "", "vote_releases": "", "vote_issued": "", "vote_cells": "", "vote_hours": "", "vote_history": "",
	"lab_reports": "", "lab_muted": "", "events": "", "event_words": "", "event_remarks": "", "audit": "",

	"enrolments":  "a restore must not bring back who withdrew; handsets that still agree enrol again by themselves",
	"vote_issues": "stand for handsets; of no use, as a restore ends the key sets that they belong to",
	"vote_marks":  "of no use, as a restore ends the key sets that they belong to",
	"vote_shown":  "made anew when somebody looks",
	"logins":      "last for minutes",
	"sessions":    "a restore must not bring back a session that was ended; people sign in again",
	"idempotency": "last for a day",
	"leases":      "whoever held one is gone",
	"uploads":     "their bytes are elsewhere; they begin anew",
}

// Count is what a table amounts to.
type Count struct {
	Table  string           `json:"table"`
	Rows   int64            `json:"rows"`
	SHA256 manifests.SHA256 `json:"sha256"` // of all values, in the order of the key
}

// digest counts and hashes a table. columns says in which order, which is the
// same for both sides of a comparison.
func digest(ctx context.Context, v *relational.View, t relational.Table, columns []string) (Count, error) {
	h := sha256.New()
	c := Count{Table: t.Name}
	var buffer []byte
	err := v.Rows(ctx, t, columns, nil, func(r relational.Row) error {
		var err error
		if buffer, err = appendRow(buffer[:0], r); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		c.Rows++
		h.Write(buffer) // never fails, by its contract
		return nil
	})
	c.SHA256 = manifests.SHA256(h.Sum(nil))
	return c, err
}

// The kinds of values in a row, as they are hashed and as backups hold them.
const (
	kindNull  = 'n'
	kindInt   = 'i' // 8 bytes, big endian
	kindText  = 't' // length (4 bytes) and bytes
	kindBytes = 'b'
)

// appendRow writes a row so that two rows are the same if and only if their
// bytes are.
func appendRow(to []byte, r relational.Row) ([]byte, error) {
	for i, v := range r {
		switch v := v.(type) {
		case nil:
			to = append(to, kindNull)
		case int64:
			to = binary.BigEndian.AppendUint64(append(to, kindInt), uint64(v))
		case string:
			to = append(binary.BigEndian.AppendUint32(append(to, kindText), uint32(len(v))), v...)
		case []byte:
			to = append(binary.BigEndian.AppendUint32(append(to, kindBytes), uint32(len(v))), v...)
		default:
			return nil, fmt.Errorf("value %d is a %T, which no column holds", i+1, v)
		}
	}
	return to, nil
}

// errRow means that bytes are not those of a row.
var errRow = errors.New("not a row")

// readRow reads what appendRow wrote, n values, and gives what follows it. The
// values are the caller's own.
func readRow(b []byte, n int) (relational.Row, []byte, error) {
	row := make(relational.Row, 0, n)
	for range n {
		if len(b) == 0 {
			return nil, nil, errRow
		}
		kind, rest := b[0], b[1:]
		size := map[byte]int{kindNull: 0, kindInt: 8, kindText: 4, kindBytes: 4}[kind]
		if len(rest) < size {
			return nil, nil, errRow
		}
		switch kind {
		case kindNull:
			row = append(row, nil)
		case kindInt:
			row = append(row, int64(binary.BigEndian.Uint64(rest)))
		case kindText, kindBytes:
			length := int64(binary.BigEndian.Uint32(rest))
			if int64(len(rest)-size) < length {
				return nil, nil, errRow
			}
			value := rest[size : size+int(length)]
			size += int(length)
			if kind == kindText {
				row = append(row, string(value))
			} else {
				row = append(row, slices.Clone(value))
			}
		default:
			return nil, nil, errRow
		}
		b = rest[size:]
	}
	return row, b, nil
}
