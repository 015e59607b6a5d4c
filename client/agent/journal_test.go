package agent

import (
	"testing"

	"github.com/candor-ota/candor/client/disk"
)

// A state that a newer version of this program knows must not end this one.
func TestUnknownStateInTheJournalBeginsAnew(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	j, err := disk.OpenJournal(disk.OS{}, w.config.State+"/journal")
	if err == nil {
		err = j.Save([]byte(`{"state":"defragmenting","build":42,"slot":"b"}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	w.once()
	w.runs(42)
}
