package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/candor-ota/candor/manifests"
)

// Verify gives body as long as it fits what o announces. The last bytes are
// handed out only after all of them were checked, so a writer that commits on
// having everything cannot commit anything else: it sees ErrMismatch first.
func Verify(o Object, body io.Reader) io.Reader {
	return &verifier{o: o, body: body, left: o.Size, sum: sha256.New()}
}

type verifier struct {
	o    Object
	body io.Reader
	left int64
	sum  hash.Hash
	err  error
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil || len(p) == 0 {
		return 0, v.err
	}
	if v.left == 0 { // only an empty object comes here
		v.err = v.finish()
		return 0, v.err
	}
	if int64(len(p)) > v.left {
		p = p[:v.left]
	}
	n, err := v.body.Read(p)
	v.left -= int64(n)
	v.sum.Write(p[:n]) // never fails, by its contract
	switch {
	case v.left == 0:
		if v.err = v.finish(); !errors.Is(v.err, io.EOF) {
			return 0, v.err
		}
	case err == io.EOF:
		v.err = fmt.Errorf("%s: ends %d bytes early: %w", v.o.Key, v.left, ErrMismatch)
	case err != nil:
		v.err = fmt.Errorf("%s: read: %w", v.o.Key, err)
	default:
		return n, nil
	}
	if errors.Is(v.err, io.EOF) {
		return n, nil
	}
	return 0, v.err
}

// finish gives io.EOF if all is well.
func (v *verifier) finish() error {
	var extra [1]byte
	for {
		n, err := v.body.Read(extra[:])
		if n > 0 {
			return fmt.Errorf("%s: longer than %d bytes: %w", v.o.Key, v.o.Size, ErrMismatch)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: read: %w", v.o.Key, err)
		}
	}
	if got := manifests.SHA256(v.sum.Sum(nil)); got != v.o.SHA256 {
		return fmt.Errorf("%s: sha256 is %s, announced was %s: %w", v.o.Key, got.Short(), v.o.SHA256.Short(), ErrMismatch)
	}
	return io.EOF
}

// Same tells whether r holds exactly the bytes that o announces.
func Same(o Object, r io.Reader) (bool, error) {
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, o.Size+1))
	if err != nil {
		return false, fmt.Errorf("compare %s: %w", o.Key, err)
	}
	return n == o.Size && manifests.SHA256(h.Sum(nil)) == o.SHA256, nil
}
