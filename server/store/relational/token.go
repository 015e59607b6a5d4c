package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

const tokenColumns = `id, name, owner, hash, role, products, scope, created_at, expires_at, revoked_at`

func scanToken(r row) (t store.Token, err error) {
	var products, scope string
	err = r.Scan(&t.ID, &t.Name, &t.Owner, fixed(t.Hash[:]), &t.Role, &products, &scope, moment{&t.Created}, moment{&t.Expires}, moment{&t.Revoked})
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(products), &t.Products), json.Unmarshal([]byte(scope), &t.Scope))
	}
	return t, err
}

// AddToken records an API token.
func (l *Ledger) AddToken(ctx context.Context, t store.Token, e store.Entry) error {
	products, err := json.Marshal(append([]manifests.Product{}, t.Products...))
	if err != nil {
		return fmt.Errorf("add token %s: %w", t.ID, err)
	}
	scope, err := json.Marshal(append([]string{}, t.Scope...))
	if err != nil {
		return fmt.Errorf("add token %s: %w", t.ID, err)
	}
	return l.audited(ctx, e, fmt.Sprintf("add token %s", t.ID), func(tx *sql.Tx) error {
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
			t.ID, t.Name, t.Owner, t.Hash[:], t.Role, string(products), string(scope), seconds(t.Created), seconds(t.Expires), seconds(t.Revoked))
	})
}

// TokenByHash reads a token.
func (l *Ledger) TokenByHash(ctx context.Context, hash manifests.SHA256) (store.Token, error) {
	t, err := one(ctx, l.reader, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1`, hash[:])
	if err != nil {
		err = fmt.Errorf("API token: %w", err)
	}
	return t, err
}

// Token reads a token by its ID.
func (l *Ledger) Token(ctx context.Context, id string) (store.Token, error) {
	t, err := one(ctx, l.reader, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id = $1`, id)
	if err != nil {
		err = fmt.Errorf("API token %s: %w", id, err)
	}
	return t, err
}

// Tokens reads all tokens.
func (l *Ledger) Tokens(ctx context.Context) ([]store.Token, error) {
	list, err := all(ctx, l.reader, scanToken, `SELECT `+tokenColumns+` FROM tokens ORDER BY created_at DESC, id`)
	if err != nil {
		err = fmt.Errorf("API tokens: %w", err)
	}
	return list, err
}

// RevokeToken ends a token.
func (l *Ledger) RevokeToken(ctx context.Context, id string, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("revoke token %s", id), func(tx *sql.Tx) error {
		t, err := one(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if !t.Revoked.IsZero() {
			return errUnchanged
		}
		_, err = tx.ExecContext(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2`, seconds(e.At), id)
		return err
	})
}
