package submit

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/manifests/api"
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
	err := c.again(ctx, func() (bool, error) {
		resp, err := c.api.Submit(ctx, nil, body)
		return false, read(ctx, resp, err, &result)
	})
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return &result, nil
}
