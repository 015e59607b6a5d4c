package receipts_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
)

var began = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func clock() (time.Time, bool) { return began, true }

func noClock() (time.Time, bool) { return time.Time{}, false }

func newLog(t testing.TB) (*receipts.Log, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receipts.log")
	return receipts.Open(disk.OS{}, path, clock), path
}

func add(t testing.TB, l *receipts.Log, entries ...receipts.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, l *receipts.Log) *receipts.Chain {
	t.Helper()
	c, err := l.Read()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wish(i int) receipts.Entry {
	return receipts.Entry{Kind: receipts.Wish, Why: fmt.Sprint("wish ", i)}
}

func whys(c *receipts.Chain) string {
	var out []string
	for _, e := range c.Entries {
		out = append(out, e.Why)
	}
	return strings.Join(out, "|")
}

func TestEntriesAreThereAfterARestartAndChained(t *testing.T) {
	l, path := newLog(t)
	if c := read(t, l); len(c.Entries) != 0 || !c.Head().IsZero() {
		t.Fatalf("a new log holds %+v", c)
	}
	add(t, l, wish(1), wish(2))
	l = receipts.Open(disk.OS{}, path, noClock)
	add(t, l, wish(3))
	c := read(t, l)
	if whys(c) != "wish 1|wish 2|wish 3" || c.Head() != c.Entries[2].Hash {
		t.Fatalf("it holds %s", whys(c))
	}
	for i, e := range c.Entries {
		if e.Seq != uint64(i+1) || i > 0 && e.Prev != c.Entries[i-1].Hash {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
	if at := c.Entries[0].Time; at == nil || !at.Equal(began) {
		t.Errorf("time %v", at)
	}
	if c.Entries[2].Time != nil {
		t.Error("a time is made up where no clock was set")
	}
}

func TestWhatHappensTwiceByAPowerCutIsSaidOnce(t *testing.T) {
	l, path := newLog(t)
	for range 2 {
		for _, e := range []receipts.Entry{wish(1), wish(2), wish(1)} {
			if err := l.AppendOnce(e); err != nil {
				t.Fatal(err)
			}
		}
		l = receipts.Open(disk.OS{}, path, clock)
	}
	add(t, l, wish(1))
	if got := whys(read(t, l)); got != "wish 1|wish 2|wish 1" {
		t.Fatalf("it holds %s", got)
	}
}

func TestAnyChangedByteIsNoticedAndTheLogSetAside(t *testing.T) {
	l, path := newLog(t)
	add(t, l, wish(1), wish(2), wish(3), wish(4))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(strings.TrimSuffix(string(whole), "\n"), "\n") + 1
	for i := range last {
		spoilt := append([]byte(nil), whole...)
		spoilt[i] ^= 1
		c, err := receipts.Parse(spoilt)
		if !errors.Is(err, receipts.ErrDamaged) || len(c.Entries) > 3 {
			t.Fatalf("byte %d: %d entries, %v", i, len(c.Entries), err)
		}
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for name, text := range map[string]string{
		"a line dropped":  lines[0] + lines[2] + lines[3],
		"lines swapped":   lines[0] + lines[2] + lines[1] + lines[3],
		"a line repeated": lines[0] + lines[1] + lines[1] + lines[2] + lines[3],
		"the first gone":  lines[1] + lines[2] + lines[3],
		"an empty line":   lines[0] + "\n" + lines[1],
		"a space more":    strings.Replace(string(whole), `{"`, `{ "`, 1),
	} {
		if _, err := receipts.Parse([]byte(text)); !errors.Is(err, receipts.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole[len(lines[0])+10] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	l = receipts.Open(disk.OS{}, path, clock)
	if c, err := l.Read(); !errors.Is(err, receipts.ErrDamaged) || whys(c) != "wish 1" {
		t.Fatalf("read %v", err)
	}
	add(t, l, wish(5))
	c := read(t, l)
	a := c.Entries[0]
	if len(c.Entries) != 2 || a.Kind != receipts.Anchor || !a.Dropped.Damaged || a.Dropped.Through != 1 || c.Entries[1].Why != "wish 5" ||
		!strings.Contains(a.Why, "set aside as receipts.log.damaged") {
		t.Fatalf("it goes on with %+v", c.Entries)
	}
	if kept, err := os.ReadFile(path + receipts.SetAside); err != nil || string(kept) != string(whole) {
		t.Fatalf("what was set aside is not what there was: %v", err)
	}
}

// Each link is looked at by itself, also where the hash was made to fit.
func TestLineWithAFittingHashInTheWrongPlaceIsNoticed(t *testing.T) {
	l, path := newLog(t)
	add(t, l, wish(1), wish(2), wish(3))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, c := strings.SplitAfter(string(whole), "\n"), read(t, l)
	for name, change := range map[string]func(*receipts.Entry){
		"linked to another": func(e *receipts.Entry) { e.Prev = c.Entries[0].Prev },
		"a number skipped":  func(e *receipts.Entry) { e.Seq++ },
		"no kind at all":    func(e *receipts.Entry) { e.Kind = "Gift 7" },
		"an anchor within": func(e *receipts.Entry) {
			e.Kind, e.Dropped = receipts.Anchor, &receipts.Dropped{Through: e.Seq, Hash: e.Prev}
		},
	} {
		e, next := c.Entries[1], c.Entries[2]
		change(&e)
		line, err := receipts.Line(&e)
		if err != nil {
			t.Fatal(err)
		}
		next.Seq, next.Prev = e.Seq+1, e.Hash // nothing is wrong with what follows
		last, err := receipts.Line(&next)
		if err != nil {
			t.Fatal(err)
		}
		got, err := receipts.Parse([]byte(lines[0] + string(line) + string(last)))
		if !errors.Is(err, receipts.ErrDamaged) || len(got.Entries) != 1 {
			t.Errorf("%s: %d entries, %v", name, len(got.Entries), err)
		}
	}
}

func TestOldEntriesMakeRoomAndAnAnchorStandsForThem(t *testing.T) {
	for name, small := range map[string]func(*receipts.Log) *receipts.Log{
		"entries": func(l *receipts.Log) *receipts.Log { return l.Small(16, 1<<20) },
		"bytes":   func(l *receipts.Log) *receipts.Log { return l.Small(1<<20, 4000) },
	} {
		t.Run(name, func(t *testing.T) {
			l, path := newLog(t)
			small(l)
			hashes := map[uint64]manifests.SHA256{}
			for i := range 100 {
				add(t, l, wish(i))
				c := read(t, l)
				newest := c.Entries[len(c.Entries)-1]
				hashes[newest.Seq] = newest.Hash
				if newest.Seq != uint64(i+1) || newest.Why != fmt.Sprint("wish ", i) || len(c.Entries) > 24 {
					t.Fatalf("after %d: %d entries, the newest is %+v", i, len(c.Entries), newest)
				}
				if i%7 == 0 {
					l = small(receipts.Open(disk.OS{}, path, clock))
				}
			}
			c := read(t, l)
			a := c.Entries[0]
			if a.Kind != receipts.Anchor || a.Dropped.Damaged || a.Dropped.Hash != hashes[a.Dropped.Through] || c.Entries[1].Prev != a.Dropped.Hash || len(c.Entries) < 8 {
				t.Fatalf("%d entries, the anchor is %+v", len(c.Entries), a)
			}
		})
	}
}

func TestFullSizeLogStaysWithinItsBounds(t *testing.T) {
	l, path := newLog(t)
	var text strings.Builder
	for range 1000 {
		text.WriteString("\"") // two bytes each in JSON
	}
	e := receipts.Entry{Kind: receipts.Warning, Why: text.String()}
	most := int64(0)
	for range 4000 { // more than 8 MiB
		add(t, l, e)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, info.Size())
	}
	if most > receipts.MaxBytes || most < receipts.MaxBytes*9/10 {
		t.Fatalf("it grew to %d bytes", most)
	}
	if c := read(t, l); c.Entries[0].Kind != receipts.Anchor {
		t.Fatal("nothing was dropped")
	}
}

func TestWordsOfOthersAreTamed(t *testing.T) {
	l, _ := newLog(t)
	long := strings.Repeat("ü", 2000)
	add(t, l, receipts.Entry{
		Kind: receipts.LabelChange, Why: "a\nb\u202ec\x00" + long, SignedBy: make([]string, 100),
		Label: &receipts.Change{To: append(make([]string, 100), long)}, Consent: &receipts.Consent{Choice: long},
	})
	e := read(t, l).Entries[0]
	if !strings.HasPrefix(e.Why, "a b c ü") || len(e.Why) > 1000 || len(e.SignedBy) != 32 || len(e.Label.To) != 64 || len(e.Consent.Choice) > 200 {
		t.Fatalf("%+v", e)
	}
}

// A receipt that a newer version of the agent went on with is no damage for an
// older one: it holds, can be read, and goes on. A changed byte still shows.
func TestEntriesOfANewerVersionHold(t *testing.T) {
	l, path := newLog(t)
	add(t, l, wish(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := read(t, l).Head()
	bare := fmt.Sprintf(`{"kind":"time-travel","label":{"why":["new"]},"prev":"%s","seq":2,"zone":7}`, head)
	sum := manifests.SumSHA256([]byte("candor-receipt-v1\n" + bare))
	line := strings.Replace(bare, `{`, fmt.Sprintf(`{"hash":"%s",`, sum), 1) + "\n"
	if err := os.WriteFile(path, append(whole, line...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = receipts.Open(disk.OS{}, path, clock)
	add(t, l, wish(3))
	c := read(t, l)
	if len(c.Entries) != 3 || c.Entries[2].Prev != sum || !strings.Contains(c.Entries[1].String(), "newer version of the agent (time-travel)") {
		t.Fatalf("%v", c.Entries)
	}
	for _, spoilt := range []string{strings.Replace(line, "new", "old", 1), strings.Replace(line, "travel", "trave\\\\", 1), strings.Replace(line, `"zone":7`, `"zone":8`, 1)} {
		if _, err := receipts.Parse(append(bytes.Clone(whole), spoilt+"\n"...)); !errors.Is(err, receipts.ErrDamaged) {
			t.Errorf("%s: %v", spoilt, err)
		}
	}
}
