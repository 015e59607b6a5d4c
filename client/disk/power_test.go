package disk_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
)

// The power is cut within each operation of making a journal and saving three
// records, with several kinds of luck: what was saved stays saved.
func TestPowerCutKeepsTheLastSavedRecord(t *testing.T) {
	for cut := range 40 {
		for seed := range uint64(20) {
			d := disktest.New(seed)
			d.CutAfter(cut)
			saved, last, err := "", "", error(nil)
			var j *disk.Journal
			if j, err = disk.OpenJournal(d, "state/journal"); err == nil {
				for i := range 3 {
					last = fmt.Sprint("record ", i)
					if err = j.Save([]byte(last)); err != nil {
						break
					}
					saved = last
				}
			}
			if err != nil && !errors.Is(err, disktest.ErrPower) {
				t.Fatalf("cut %d, seed %d: %v", cut, seed, err)
			}
			d.Restart()
			j, again := disk.OpenJournal(d, "state/journal")
			if again != nil {
				t.Fatalf("cut %d, seed %d: %v", cut, seed, again)
			}
			if got := string(j.Record()); got != saved && got != last {
				t.Fatalf("cut %d, seed %d: %q, saved was %q", cut, seed, got, saved)
			}
			if err == nil && seed == 19 {
				return
			}
		}
	}
	t.Fatal("the records took too many operations")
}

func TestRecordNeedsNoSpace(t *testing.T) {
	d := disktest.New(1)
	j, err := disk.OpenJournal(d, "state/journal")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Open("state/journal", disk.Read)
	if err != nil {
		t.Fatal(err)
	}
	before, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := j.Save(make([]byte, disk.MaxRecord)); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := f.Size(); err != nil || after != before {
		t.Errorf("%d bytes became %d, %v", before, after, err)
	}
}
