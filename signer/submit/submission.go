package submit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Receipt is the server's answer to a submission.
type Receipt struct {
	ID        string `json:"id"`
	Published bool   `json:"published"`
}

// Submit sends signed metadata, by file name, and target files, by path, in
// one request. The server takes all of it or nothing; sending the same again
// is not an error.
func (c *Client) Submit(ctx context.Context, metadata, targets map[string][]byte) (*Receipt, error) {
	body, err := json.Marshal(struct {
		Metadata map[string][]byte `json:"metadata"` // base64
		Targets  map[string][]byte `json:"targets"`
	}{metadata, targets})
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	var receipt Receipt
	err = c.again(ctx, func() (bool, error) {
		a, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/submissions", body: body, offset: -1})
		if err != nil {
			return false, err
		}
		if err := json.Unmarshal(a.body, &receipt); err != nil {
			return false, fmt.Errorf("the server's answer is not that of a Candor server: %w", err)
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return &receipt, nil
}
