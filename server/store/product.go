package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Product is a line of firmware that the server publishes.
type Product struct {
	Name    manifests.Product
	Created time.Time
}

// Products keeps the products. A product is never deleted (its role can never
// leave the snapshot).
type Products interface {
	// AddProduct is ErrExists if it is there already.
	AddProduct(ctx context.Context, p Product, e Entry) error
	// Product is ErrNotFound if there is none.
	Product(ctx context.Context, name manifests.Product) (Product, error)
	// Products gives all, by name.
	Products(ctx context.Context) ([]Product, error)
}
