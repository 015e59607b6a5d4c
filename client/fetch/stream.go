package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Range is a part of a file of known size.
type Range struct {
	Path string
	From int64 // the first byte
	To   int64 // the byte behind the last one; 0 is the end of the file
	Size int64 // bytes of the whole file
	Same *Body // an earlier body of the same file: the server must still have that file
	// Window bounds how many bytes may wait in this machine's buffers, unread:
	// they are lost if the process dies. 0 leaves that to the system.
	Window int
}

func (r Range) end() int64 {
	if r.To == 0 {
		return r.Size
	}
	return r.To
}

// Body is a part of a file as it arrives. Reading gives exactly what is
// missing, or an error: io.ErrUnexpectedEOF if it ends early, ErrTooLarge if it
// goes on, ErrStalled if it comes too slowly.
type Body struct {
	answer *answer
	origin string
	etag   string
	left   int64
	cut    bool // more follows than was asked for: the whole file came
	ended  error
}

// Stream asks for a part of a file. Besides network failures, errors are
// ErrNotFound, ErrWrongLength, and ErrRangeIgnored where From is not 0.
func (c *Client) Stream(ctx context.Context, r Range) (*Body, error) {
	if r.From < 0 || r.From > r.end() || r.end() > r.Size {
		return nil, fmt.Errorf("fetch %s: bytes %d to %d of %d", r.Path, r.From, r.end(), r.Size)
	}
	if r.From == r.end() {
		return &Body{ended: io.EOF}, nil
	}
	var out *Body
	never := func(error) bool { return false }
	err := c.everywhere(ctx, r.Path, never, func(m *mirror) (err error) {
		out, err = c.stream(ctx, m, r)
		return err
	})
	return out, err
}

func (c *Client) stream(ctx context.Context, m *mirror, r Range) (*Body, error) {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if r.part() {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.From, r.end()-1))
		if known := r.validator(m); known != "" {
			header.Set("If-Range", known)
		}
	}
	a, err := c.send(narrow(ctx, r.Window), m, r.Path, header)
	if err != nil {
		return nil, err
	}
	if err := r.check(a, m); err != nil {
		return nil, fmt.Errorf("GET %s: %w", a.Request.URL, errors.Join(err, a.body.Close()))
	}
	cut := a.StatusCode == http.StatusOK && r.end() < r.Size
	return &Body{answer: a, origin: m.base.String(), etag: a.Header.Get("ETag"), left: r.end() - r.From, cut: cut}, nil
}

func (r Range) part() bool { return r.From > 0 || r.end() < r.Size }

// validator is what If-Range may carry (RFC 9110, 13.1.5): a strong ETag, and
// only to the server that gave it.
func (r Range) validator(m *mirror) string {
	if r.Same == nil || r.Same.origin != m.base.String() || !strings.HasPrefix(r.Same.etag, `"`) {
		return ""
	}
	return r.Same.etag
}

// check holds status, range and length against what was asked.
func (r Range) check(a *answer, m *mirror) error {
	if encoding := a.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fmt.Errorf("%w: content encoding %q was not asked for", ErrWrongLength, encoding)
	}
	length := r.end() - r.From
	switch {
	case a.StatusCode == http.StatusOK && r.From > 0:
		return ErrRangeIgnored
	case a.StatusCode == http.StatusOK:
		length = r.Size // the beginning of the whole is as good as the part
	case a.StatusCode == http.StatusPartialContent && r.part():
		if err := r.checkContentRange(a.Header.Get("Content-Range")); err != nil {
			return err
		}
		if known, now := r.validator(m), a.Header.Get("ETag"); known != "" && now != "" && now != known {
			return fmt.Errorf("%w: it is not the file of before", ErrWrongLength)
		}
	default:
		return &StatusError{a.StatusCode}
	}
	if a.ContentLength >= 0 && a.ContentLength != length {
		return fmt.Errorf("%w: %d bytes are announced, %d are missing", ErrWrongLength, a.ContentLength, length)
	}
	return nil
}

// checkContentRange accepts one form only: bytes FIRST-LAST/TOTAL, as asked.
func (r Range) checkContentRange(value string) error {
	span, total, ok := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	first, last, ok2 := strings.Cut(span, "-")
	want := [3]int64{r.From, r.end() - 1, r.Size}
	for i, s := range []string{first, last, total} {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil || !ok || !ok2 || !strings.HasPrefix(value, "bytes ") || int64(n) != want[i] {
			return fmt.Errorf("%w: Content-Range %q, wanted bytes %d-%d/%d", ErrWrongLength, value, want[0], want[1], want[2])
		}
	}
	return nil
}

// Origin names the mirror that sends, for Blame.
func (b *Body) Origin() string { return b.origin }

func (b *Body) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	if b.left == 0 {
		b.ended = b.atEnd()
		return 0, b.ended
	}
	n, err := b.answer.body.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; b.left > 0 {
			err = fmt.Errorf("%d bytes are missing at the end: %w", b.left, io.ErrUnexpectedEOF)
		}
	}
	b.ended = err
	return n, err
}

// atEnd makes sure that a body without an announced length ends here.
func (b *Body) atEnd() error {
	if b.answer.ContentLength >= 0 || b.cut {
		return io.EOF
	}
	n, err := io.ReadFull(b.answer.body, make([]byte, 1))
	if n > 0 {
		return fmt.Errorf("%w: it goes on after its last byte", ErrTooLarge)
	}
	return err
}

// Close ends the transfer.
func (b *Body) Close() error {
	if b.answer == nil {
		return nil
	}
	return b.answer.body.Close()
}
