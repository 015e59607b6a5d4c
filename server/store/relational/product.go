package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// AddProduct adds a product.
func (l *Ledger) AddProduct(ctx context.Context, p store.Product, e store.Entry) error {
	return l.audited(ctx, e, fmt.Sprintf("add product %s", p.Name), func(tx *sql.Tx) error {
		return touch(ctx, tx, store.ErrExists,
			`INSERT INTO products (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, p.Name, seconds(p.Created))
	})
}

const selectProduct = `SELECT name, created_at FROM products`

func scanProduct(r row) (p store.Product, err error) {
	return p, r.Scan(&p.Name, moment{&p.Created})
}

// Product reads a product.
func (l *Ledger) Product(ctx context.Context, name manifests.Product) (store.Product, error) {
	p, err := one(ctx, l.reader, scanProduct, selectProduct+` WHERE name = $1`, name)
	if err != nil {
		err = fmt.Errorf("product %s: %w", name, err)
	}
	return p, err
}

// Products reads all products.
func (l *Ledger) Products(ctx context.Context) ([]store.Product, error) {
	list, err := all(ctx, l.reader, scanProduct, selectProduct+` ORDER BY name`)
	if err != nil {
		err = fmt.Errorf("products: %w", err)
	}
	return list, err
}
