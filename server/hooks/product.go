package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Rollouts looks up a rollout by its ID.
type Rollouts interface {
	Rollout(ctx context.Context, id string) (store.Rollout, error)
}

// Product tells which product an entry concerns; empty if none in particular.
func Product(ctx context.Context, rollouts Rollouts, e store.Entry) (manifests.Product, error) {
	var detail struct {
		Product string `json:"product"`
	}
	if json.Unmarshal(e.Detail, &detail) == nil {
		if p, err := manifests.ParseProduct(detail.Product); err == nil {
			return p, nil
		}
	}
	family, _, _ := strings.Cut(e.What, ".")
	switch family {
	case "rollout":
		r, err := rollouts.Rollout(ctx, e.Subject)
		if errors.Is(err, store.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("product of entry %d: %w", e.Seq, err)
		}
		return r.Product, nil
	case "product", "release", "votes": // phone, or phone build 43
		name, _, _ := strings.Cut(e.Subject, " ")
		if p, err := manifests.ParseProduct(name); err == nil {
			return p, nil
		}
	}
	return "", nil
}
