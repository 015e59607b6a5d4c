package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// Glance is what the files of an agent say, whether one runs or not.
type Glance struct {
	State    State           // of the update that is under way; Idle: none
	Build    manifests.Build // of that update
	From     manifests.Build // the build that ran when it began
	Reason   string          // of what failed
	Floor    manifests.SecurityEpoch
	Last     Status
	Warnings []string
	NextBy   *manifests.Time // the maker promised news by then
	Failed   []string        // builds that were tried here and fell back, in decimal
	Lab      bool
}

// Look reads the files in the directory state. It takes no lock and changes
// nothing: what is damaged stays where it is. The error names every file that
// cannot be read; the rest is given all the same.
func Look(d disk.Disk, state string) (Glance, error) {
	g := Glance{State: Idle}
	var errs []error
	if data, err := disk.ReadJournal(d, filepath.Join(state, "journal")); err != nil {
		errs = append(errs, err)
	} else if data != nil {
		var r record
		if _, err := strict.DecodeKept(data, disk.MaxRecord, &r); err != nil {
			errs = append(errs, fmt.Errorf("journal %s: %w", filepath.Join(state, "journal"), err))
		} else if r.State != "" {
			g.State, g.Build, g.From, g.Reason = r.State, r.Build, r.From, r.Reason
		}
	}
	var m memory
	path := filepath.Join(state, "memory.json")
	data, err := disk.ReadFile(d, path, maxMemoryBytes)
	if err == nil {
		_, err = strict.DecodeKept(data, maxMemoryBytes, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return g, errors.Join(append(errs, fmt.Errorf("%s: %w", path, err))...)
	}
	g.Floor, g.Last, g.Warnings, g.NextBy, g.Lab = m.Floor, m.Last, m.Warnings, m.NextBy, m.Lab != ""
	g.Failed = slices.Sorted(maps.Keys(m.Failures))
	return g, errors.Join(errs...)
}
