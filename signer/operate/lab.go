package operate

import (
	"context"
	"fmt"
	"net/http"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
)

// LabReports gives what lab handsets said about a build by name, the oldest
// first.
func (c *Client) LabReports(ctx context.Context, product manifests.Product, build manifests.Build) (api.LabReportList, error) {
	return ask[api.LabReportList](ctx, c, "lab reports", func(ctx context.Context) (*http.Response, error) {
		return c.API.ListLabReports(ctx, string(product), int64(build))
	})
}

// Mute makes the engine deaf to a lab handset, or hear it again. key is its
// device key, 64 hexadecimal digits.
func (c *Client) Mute(ctx context.Context, key, reason string) error {
	return c.lab(ctx, key, "mute", reason)
}

// Unmute takes Mute back.
func (c *Client) Unmute(ctx context.Context, key, reason string) error {
	return c.lab(ctx, key, "unmute", reason)
}

func (c *Client) lab(ctx context.Context, key, action, reason string) error {
	params, in := &api.MuteLabHandsetParams{IdempotencyKey: new(c.Key())}, api.Change{Reason: given(reason)}
	err := c.Again(ctx, func() (bool, error) {
		return false, once(ctx, func(ctx context.Context) (*http.Response, error) {
			return c.API.MuteLabHandset(ctx, key, action, params, in)
		}, nil)
	})
	if err != nil {
		return fmt.Errorf("%s lab handset: %w", action, err)
	}
	return nil
}
