package ceremony

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
)

// A server among others shows what another one published a moment later, and may
// be restarted while it is asked. Reading is safe to repeat, so it is repeated:
// the pauses grow from firstPause, with a random part, and add up to patience at
// least.
const (
	firstPause = 100 * time.Millisecond
	patience   = 5 * time.Second
)

// errPassing marks answers that may be others in a moment.
var errPassing = errors.New("the server cannot answer now")

// patiently opens path, again while what is wrong may pass.
func (h httpSource) patiently(ctx context.Context, path string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	wait := firstPause
	for waited := time.Duration(0); ; wait *= 2 {
		body, err := open()
		passing := errors.Is(err, errPassing) || errors.Is(err, fs.ErrNotExist) && named(path)
		if !passing || waited >= patience {
			return body, err
		}
		now := wait + rand.N(wait)
		if err := h.pause(ctx, now); err != nil {
			return nil, err
		}
		waited += now
	}
}

// named tells whether a file is only asked for because signed metadata names it:
// then it was published, and is there in a moment if it is not now. The next
// root is asked for to see whether there is one; blobs are there before anything
// names them.
func named(path string) bool {
	return path != layout.TimestampFile && !layout.IsRootFile(path) && !strings.HasPrefix(path, layout.BlobsDir+"/")
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
