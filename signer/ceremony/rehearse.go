package ceremony

import (
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// rehearse has the client that handsets use walk a chain of roots: from the
// first one, and from the last but one, which is where most handsets stand. What
// it refuses would shut handsets out for good, so it is never published.
func rehearse(roots []string) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some shapes
			err = fmt.Errorf("a handset would give up on root version %d: %v", len(roots), p)
		}
	}()
	for _, from := range []int{0, len(roots) - 2} {
		if from < 0 || from == 0 && len(roots) == 1 {
			continue
		}
		set, err := trustedmetadata.New([]byte(roots[from]))
		if err != nil {
			return fmt.Errorf("a handset would refuse root version %d: %w", from+1, err)
		}
		set.RefTime = time.Time{}
		for i, next := range roots[from+1:] {
			if _, err := set.UpdateRoot([]byte(next)); err != nil {
				return fmt.Errorf("a handset that trusts root version %d would refuse version %d: %w", from+i+1, from+i+2, err)
			}
		}
	}
	return nil
}

// rehearse walks the roots as they will be published.
func (p *Proposal) rehearse(s *Submission) error {
	roots := p.Base.Roots
	for _, r := range p.view.roles {
		if r.name == metadata.ROOT {
			roots = append(roots[:len(roots):len(roots)], string(s.Metadata[fileName(r.name, r.version)]))
		}
	}
	return rehearse(roots)
}
