package agent

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/strict"
)

// loadJournal opens the journal. A damaged one is empty: where the update
// stood is then found out from the boot loader, whose word counts anyway. What
// a newer version wrote into it is read as far as this one knows it: the trial
// that failed and brought this one back must not be forgotten. The rest goes,
// as it told of an update that is no longer that version's.
func (a *Agent) loadJournal() error {
	j, err := disk.OpenJournal(a.Disk, filepath.Join(a.Config.State, "journal"))
	if err != nil && !errors.Is(err, disk.ErrDamaged) {
		return fmt.Errorf("agent journal: %w", err)
	}
	a.journal, a.rec = j, record{State: Idle}
	if data := j.Record(); data != nil {
		var r record
		_, err := strict.DecodeKept(data, disk.MaxRecord, &r)
		if err == nil && handlers[r.State] == nil && r.State != "" {
			err = fmt.Errorf("state %q is not known", r.State)
		}
		if err == nil {
			a.rec = r
		} else {
			a.Log.Warn("the journal holds what this program does not read; the update begins anew", "reason", err)
		}
	}
	return nil
}

func (a *Agent) saveJournal() error {
	data, err := strict.Canonical(&a.rec)
	if err != nil {
		return fmt.Errorf("agent journal: %w", err)
	}
	return a.journal.Save(data)
}
