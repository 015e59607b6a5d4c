package receipts_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/receipts"
)

// The power is cut within each operation of writing a log that rotates twice,
// with several kinds of luck: what Append acknowledged is there, in order, in
// a chain that holds, and the log goes on.
func TestPowerCutKeepsAChainThatHolds(t *testing.T) {
	for seed := range uint64(12) {
		for cut := range 1000 {
			d := disktest.New(seed)
			d.CutAfter(cut)
			var saved []string
			l := receipts.Open(d, "state/receipts.log", clock).Small(8, 1<<20)
			var err error
			for i := 0; i < 20 && err == nil; i++ {
				if err = l.Append(wish(i)); err == nil {
					saved = append(saved, fmt.Sprint("wish ", i))
				}
			}
			if err == nil {
				if cut < 50 {
					t.Fatalf("the story has only %d operations", cut)
				}
				break
			}
			if !errors.Is(err, disktest.ErrPower) {
				t.Fatalf("seed %d, cut %d: %v", seed, cut, err)
			}
			d.Restart()
			afterwards(t, d, saved, fmt.Sprintf("seed %d, cut %d", seed, cut))
		}
	}
}

func afterwards(t *testing.T, d disk.Disk, saved []string, when string) {
	t.Helper()
	l := receipts.Open(d, "state/receipts.log", clock).Small(8, 1<<20)
	c, err := l.Read()
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	holds(t, c, saved, when)
	if err := l.Append(wish(1000)); err != nil {
		t.Fatalf("%s: it does not go on: %v", when, err)
	}
	if c, err = l.Read(); err != nil || c.Unfinished != 0 || c.Entries[len(c.Entries)-1].Why != "wish 1000" {
		t.Fatalf("%s: afterwards %v, %+v", when, err, c)
	}
	holds(t, c, saved, when)
}

// holds demands every saved entry that no anchor stands for.
func holds(t *testing.T, c *receipts.Chain, saved []string, when string) {
	t.Helper()
	gone := 0
	if len(c.Entries) > 0 && c.Entries[0].Dropped != nil {
		gone = int(c.Entries[0].Dropped.Through)
	}
	for _, s := range saved[min(gone, len(saved)):] {
		if !slices.ContainsFunc(c.Entries, func(e receipts.Entry) bool { return e.Why == s }) {
			t.Fatalf("%s: %q was acknowledged and is gone: %s", when, s, whys(c))
		}
	}
}

// Also while a damaged log is set aside: at no moment there is none.
func TestPowerCutWhileALogIsSetAside(t *testing.T) {
	for seed := range uint64(12) {
		for cut := range 100 {
			d := disktest.New(seed)
			l := receipts.Open(d, "state/receipts.log", clock)
			add(t, l, wish(1), wish(2), wish(3))
			f, err := d.Open("state/receipts.log", disk.Write)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte("?"), 5); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			d.CutAfter(cut)
			err = receipts.Open(d, "state/receipts.log", clock).Append(wish(4))
			if err == nil {
				break
			}
			d.Restart()
			l = receipts.Open(d, "state/receipts.log", clock)
			add(t, l, wish(5))
			c := read(t, l)
			if a := c.Entries[0]; a.Kind != receipts.Anchor || !a.Dropped.Damaged || c.Entries[len(c.Entries)-1].Why != "wish 5" {
				t.Fatalf("seed %d, cut %d: %+v", seed, cut, c.Entries)
			}
		}
	}
}

func TestFullDiskLosesNothingOnceThereIsRoom(t *testing.T) {
	d := disktest.New(1)
	l := receipts.Open(d, "state/receipts.log", clock)
	add(t, l, wish(1))
	d.Room(20)
	for i := 2; i < 5; i++ {
		for range 3 { // said again at each poll
			if err := l.AppendOnce(wish(i)); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("got %v", err)
			}
		}
	}
	if c, err := l.Read(); err != nil || whys(c) != "wish 1" || c.Unfinished != 20 {
		t.Fatalf("in between: %v, %+v", err, c)
	}
	d.Room(1 << 20)
	add(t, l, wish(5))
	c := read(t, l)
	if c.Entries[1].Kind != receipts.PowerCut {
		t.Fatalf("nothing is said of the unfinished line: %+v", c.Entries[1])
	}
	c.Entries = slices.Delete(c.Entries, 1, 2)
	if got := whys(c); got != "wish 1|wish 2|wish 3|wish 4|wish 5" {
		t.Fatalf("it holds %s", got)
	}
}
