package submit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/operate"
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
		return advised(fmt.Errorf("upload blob %s: %w", b.SHA256.Short(), err))
	}
	return nil
}

func (c *Client) upload(ctx context.Context, b Blob, file io.ReadSeeker, done func(int64)) error {
	u := upload{client: c, blob: b, file: file}
	return c.Again(ctx, func() (bool, error) {
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
	id     string
	offset int64
}

// begin asks the server for the upload of this blob, new or unfinished.
func (u *upload) begin(ctx context.Context) error {
	var state api.Upload
	in := api.UploadRequest{Sha256: u.blob.SHA256.String(), Size: u.blob.Size}
	begin := func(ctx context.Context) (*http.Response, error) { return u.client.API.StartUpload(ctx, nil, in) }
	if err := operate.Exchange(ctx, begin, &state); err != nil {
		return err
	}
	return u.take(state)
}

// step sends one chunk. Should the server be elsewhere, its own offset holds.
func (u *upload) step(ctx context.Context) error {
	if _, err := u.file.Seek(u.offset, io.SeekStart); err != nil {
		return err
	}
	// Memory of its own: a server that answers early leaves the transport reading
	// from the chunk before.
	buf := make([]byte, min(chunk, u.blob.Size-u.offset))
	_, err := io.ReadFull(u.file, buf)
	if err != nil {
		return fmt.Errorf("the file is shorter than the %d bytes that were signed: %w", u.blob.Size, err)
	}
	var state api.Upload
	err = operate.Exchange(ctx, func(ctx context.Context) (*http.Response, error) {
		return u.client.API.AppendUploadWithBody(ctx, u.id, &api.AppendUploadParams{UploadOffset: u.offset},
			"application/octet-stream", bytes.NewReader(buf))
	}, &state)
	var refused *operate.Refusal
	if errors.As(err, &refused) && refused.Code == api.CodeWrongOffset {
		return u.ask(ctx)
	}
	if err != nil {
		return err
	}
	if !state.Complete && state.Offset <= u.offset {
		return fmt.Errorf("%w: it stays at byte %d", operate.ErrAgain, u.offset)
	}
	return u.take(state)
}

// ask learns how far the server is.
func (u *upload) ask(ctx context.Context) error {
	var state api.Upload
	look := func(ctx context.Context) (*http.Response, error) { return u.client.API.GetUpload(ctx, u.id) }
	if err := operate.Exchange(ctx, look, &state); err != nil {
		return err
	}
	return u.take(state)
}

// take believes the server's state of the upload, within bounds.
func (u *upload) take(state api.Upload) error {
	switch {
	case state.Complete:
		u.offset = u.blob.Size
	case state.Id == "" || state.Offset < 0 || state.Offset > u.blob.Size || state.Size != u.blob.Size:
		return errors.New("the answer names no upload of this blob; is it a Candor server?")
	default:
		u.id, u.offset = state.Id, state.Offset
	}
	return nil
}
