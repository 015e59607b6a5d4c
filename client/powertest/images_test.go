package powertest

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/fetch"
)

// must is for what cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// cdn serves blobs.
type cdn map[string][]byte

func (c cdn) OpenRange(_ context.Context, r fetch.Range) (io.ReadCloser, error) {
	data, ok := c[r.Path]
	if !ok || int64(len(data)) != r.Size {
		return nil, fmt.Errorf("%s: not found", r.Path)
	}
	if r.To == 0 {
		r.To = r.Size
	}
	return io.NopCloser(bytes.NewReader(data[r.From:r.To])), nil
}
