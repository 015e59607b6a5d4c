package submit

import (
	"context"
	"fmt"
	"net/http"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/operate"
)

// Submit sends signed metadata, by file name, and target files, by path, in
// one request. The server takes all of it or nothing; sending the same again
// is not an error.
func (c *Client) Submit(ctx context.Context, metadata, targets map[string][]byte) (*api.SubmissionResult, error) {
	body := api.Submission{Metadata: metadata}
	if len(targets) > 0 {
		body.Targets = &targets
	}
	var result api.SubmissionResult
	err := c.Again(ctx, func() (bool, error) {
		return false, operate.Exchange(ctx, func(ctx context.Context) (*http.Response, error) { return c.API.Submit(ctx, nil, body) }, &result)
	})
	if err != nil {
		return nil, advised(fmt.Errorf("submission: %w", err))
	}
	return &result, nil
}
