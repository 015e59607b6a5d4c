package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/candor-ota/candor/manifests"
)

// chunk is how much one request carries: little enough that a broken
// connection costs seconds, and the memory that an upload takes.
const chunk = 4 << 20

// Blob is one file to be uploaded.
type Blob struct {
	SHA256 manifests.SHA256
	Size   int64
	Open   func() (io.ReadSeekCloser, error)
}

// Upload brings a blob to the server, from where an earlier attempt stopped.
// done is told how many bytes the server has, whenever that changes. A blob
// that is there already costs one request.
func (c *Client) Upload(ctx context.Context, b Blob, done func(total int64)) error {
	file, err := b.Open()
	if err != nil {
		return fmt.Errorf("blob %s: %w", b.SHA256.Short(), err)
	}
	err = c.upload(ctx, b, file, done)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("upload blob %s: %w", b.SHA256.Short(), err)
	}
	return nil
}

func (c *Client) upload(ctx context.Context, b Blob, file io.ReadSeeker, done func(int64)) error {
	u := upload{client: c, blob: b, file: file, buf: make([]byte, min(chunk, max(b.Size, 1)))}
	return c.again(ctx, func() (bool, error) {
		if err := u.begin(ctx); err != nil {
			return false, err
		}
		at := u.offset
		done(u.offset)
		for u.offset < b.Size {
			if err := u.step(ctx); err != nil {
				return u.offset > at, err
			}
			done(u.offset)
		}
		return true, nil
	})
}

// upload is one blob on its way.
type upload struct {
	client *Client
	blob   Blob
	file   io.ReadSeeker
	buf    []byte
	path   string
	offset int64
}

// begin asks the server for the upload of this blob, new or unfinished.
func (u *upload) begin(ctx context.Context) error {
	body, err := json.Marshal(struct {
		SHA256 manifests.SHA256 `json:"sha256"`
		Size   int64            `json:"size"`
	}{u.blob.SHA256, u.blob.Size})
	if err != nil {
		return err
	}
	a, err := u.client.do(ctx, call{method: http.MethodPost, path: "/v1/uploads", body: body, offset: -1})
	if err != nil {
		return err
	}
	var state struct {
		ID       string `json:"id"`
		Offset   int64  `json:"offset"`
		Complete bool   `json:"complete"`
	}
	if err := json.Unmarshal(a.body, &state); err != nil {
		return fmt.Errorf("the server's answer is not that of a Candor server: %w", err)
	}
	if state.Complete {
		u.offset = u.blob.Size
		return nil
	}
	if state.ID == "" || state.Offset < 0 || state.Offset > u.blob.Size {
		return errors.New("the server's answer names no upload; is it a Candor server?")
	}
	u.path, u.offset = "/v1/uploads/"+url.PathEscape(state.ID), state.Offset
	return nil
}

// step sends one chunk. Should the server be elsewhere (409), its own offset holds.
func (u *upload) step(ctx context.Context) error {
	if _, err := u.file.Seek(u.offset, io.SeekStart); err != nil {
		return err
	}
	n, err := io.ReadFull(u.file, u.buf[:min(int64(len(u.buf)), u.blob.Size-u.offset)])
	if err != nil {
		return fmt.Errorf("the file is shorter than the %d bytes that were signed: %w", u.blob.Size, err)
	}
	a, err := u.client.do(ctx, call{method: http.MethodPatch, path: u.path, body: u.buf[:n], offset: u.offset})
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		a, err = u.client.do(ctx, call{method: http.MethodHead, path: u.path, offset: -1})
	}
	if err != nil {
		return err
	}
	if a.offset < 0 || a.offset > u.blob.Size || a.offset == u.offset {
		return fmt.Errorf("%w: it answered with offset %d after %d", errAgain, a.offset, u.offset)
	}
	u.offset = a.offset
	return nil
}
