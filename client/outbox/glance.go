package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/strict"
)

// Glance is what the files of an outbox say. No key is in it.
type Glance struct {
	On          bool // the owner turned reporting on
	ByName      bool // as reports of a lab handset, not as votes
	Enrolled    bool
	Waiting     int      // reports that are not sent yet
	Refused     []string // what will never be counted, and why
	Withdrawals int      // words of an owner who turned reporting off, that the service has not heard yet
}

// Look reads the files in dir. It takes no lock, changes nothing and sends
// nothing. The error names every file that cannot be read.
func Look(d disk.Disk, dir string) (Glance, error) {
	o := &Outbox{options: Options{Dir: dir, Disk: d}}
	err := errors.Join(peek(d, o.path(identityFile), &o.identity), peek(d, o.path(queueFile), &o.queue))
	g := Glance{On: o.Enabled(), ByName: o.identity.ByName, Waiting: o.Waiting(), Refused: o.Refused(), Withdrawals: len(o.identity.Withdrawals)}
	if c := o.identity.Consent; c != nil {
		g.Enrolled = c.Enrolled
	}
	return g, err
}

// peek is load that leaves a damaged file where it is.
func peek[T any](d disk.Disk, path string, v *T) error {
	data, err := disk.ReadFile(d, path, maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = strict.DecodeKept(data, maxFileBytes, v)
	}
	if err != nil {
		*v = *new(T)
		return fmt.Errorf("%s: %w", filepath.Clean(path), err)
	}
	return nil
}
