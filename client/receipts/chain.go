package receipts

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// ErrDamaged says that a log does not hold from some line on.
var ErrDamaged = errors.New("the receipts do not hold")

// Chain is what a log holds.
type Chain struct {
	Entries []Entry
	// Unfinished counts the bytes of a line at the end that a power cut left.
	// The chain holds without them.
	Unfinished int

	good   int64   // bytes of the lines that hold
	starts []int64 // where each of them begins
}

// Head is the newest hash, zero in an empty chain. An owner who notes it can
// tell later whether the log was written anew.
func (c *Chain) Head() manifests.SHA256 {
	if len(c.Entries) == 0 {
		return manifests.SHA256{}
	}
	return c.Entries[len(c.Entries)-1].Hash
}

// Parse reads and verifies a log of at most MaxBytes and one line. With an
// error that wraps ErrDamaged the chain ends where it ceases to hold.
func Parse(data []byte) (*Chain, error) {
	c := &Chain{}
	if len(data) > maxFileBytes {
		return c, fmt.Errorf("%w: %d bytes; at most %d are written", ErrDamaged, len(data), maxFileBytes)
	}
	for rest := data; len(rest) > 0; rest = data[c.good:] {
		end := bytes.IndexByte(rest, '\n')
		line := rest[:max(end, 0)]
		var e Entry
		err := errors.New("the line does not end")
		if end >= 0 {
			err = c.read(line, &e)
		}
		switch {
		case err == nil:
			c.Entries, c.starts = append(c.Entries, e), append(c.starts, c.good)
			c.good += int64(end) + 1
		case unfinished(rest, end):
			c.Unfinished = len(rest)
			return c, nil
		default:
			return c, fmt.Errorf("%w from line %d on: %w", ErrDamaged, len(c.Entries)+1, err)
		}
	}
	return c, nil
}

// unfinished tells whether the rest can be what a power cut left of one line:
// one write at the most is under way at any time.
func unfinished(rest []byte, end int) bool {
	one := end < 0 || end == len(rest)-1
	return one && len(rest) <= maxEntryBytes && bytes.Count(rest, []byte(`,"prev":"`)) <= 1
}

// read verifies one line as the successor of those before.
func (c *Chain) read(line []byte, e *Entry) error {
	var err error
	if e.kept, err = strict.DecodeKept(line, maxEntryBytes, e); err != nil {
		return err
	}
	if !e.Kind.wellFormed() {
		return strict.Refuse("kind", "%q is not a kind of receipt", e.Kind)
	}
	again, err := e.canonical()
	if err != nil {
		return err
	}
	sum, err := e.sum()
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(again, line):
		return strict.Refuse("", "is not in canonical form")
	case e.Hash != sum:
		return strict.Refuse("hash", "is %s; the entry gives %s", e.Hash.Short(), sum.Short())
	}
	seq, prev := uint64(1), manifests.SHA256{}
	if n := len(c.Entries); n > 0 {
		seq, prev = c.Entries[n-1].next()
	} else if e.Dropped != nil {
		seq = e.Seq
	}
	switch {
	case (e.Kind == Anchor) != (e.Dropped != nil), e.Kind == Anchor && len(c.Entries) > 0:
		return strict.Refuse("dropped", "an anchor, and only that, says what was dropped, in the first line")
	case e.Dropped != nil && e.Dropped.Through != e.Seq:
		return strict.Refuse("seq", "is %d; the anchor stands for entries through %d", e.Seq, e.Dropped.Through)
	case e.Seq != seq:
		return strict.Refuse("seq", "is %d; %d comes next", e.Seq, seq)
	case e.Prev != prev:
		return strict.Refuse("prev", "is %s; the entry before has %s", e.Prev.Short(), prev.Short())
	}
	return nil
}

// next gives number and link of the entry that follows. What follows an anchor
// is linked to the last entry that it stands for; if those did not hold, to the
// anchor itself.
func (e *Entry) next() (seq uint64, prev manifests.SHA256) {
	if e.Dropped != nil && !e.Dropped.Damaged {
		return e.Seq + 1, e.Dropped.Hash
	}
	return e.Seq + 1, e.Hash
}
