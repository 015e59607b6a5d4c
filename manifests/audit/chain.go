package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// Head is an entry's number and hash: all before it follows from it.
type Head struct {
	Seq  int64
	Hash manifests.SHA256
}

// String is SEQ:HASH, the form of ParseHead.
func (h Head) String() string { return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash.String() }

// ParseHead reads SEQ:HASH.
func ParseHead(s string) (Head, error) {
	seq, hash, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || n < 1 {
		return Head{}, errors.New("a noted head is written SEQ:HASH, as `audit verify` prints it")
	}
	h, err := manifests.ParseSHA256(hash)
	if err != nil {
		return Head{}, fmt.Errorf("noted head: %w", err)
	}
	return Head{n, h}, nil
}

// Broken names the first entry that does not fit.
type Broken struct {
	Seq  int64
	What string
}

func (b *Broken) Error() string { return fmt.Sprintf("audit log: entry %d %s", b.Seq, b.What) }

// Chain checks entries one after another, oldest first. Its zero value takes
// any contiguous part of a log.
type Chain struct {
	Whole bool // the first entry must be the first of all
	Gaps  bool // entries may be left out, as in an export of one subject

	Count   int64
	First   int64 // number of the first entry that was added
	Head    Head  // the last
	Missing int64 // entries that were left out, with Gaps
}

// Add takes the next entry, or says with a *Broken why it cannot be the next.
func (c *Chain) Add(e Entry) error {
	want := c.Head.Seq + 1
	if c.Count == 0 && !c.Whole {
		want = e.Seq
	}
	switch {
	case e.Seq < 1:
		return &Broken{e.Seq, "cannot be: entries are numbered from 1"}
	case e.Seq < want:
		return &Broken{e.Seq, "stands after entry " + strconv.FormatInt(c.Head.Seq, 10) + ": it was slipped in, moved or repeated"}
	case e.Seq > want && !c.Gaps:
		return &Broken{want, "is missing: entry " + strconv.FormatInt(e.Seq, 10) + " follows in its place"}
	case e.Hash != e.Sum():
		return &Broken{e.Seq, fmt.Sprintf("(%s by %s) was changed: its hash does not fit what it says", e.What, e.Who)}
	case e.Seq == c.Head.Seq+1 && (c.Count > 0 || e.Seq == 1) && e.Prev != c.Head.Hash:
		return &Broken{e.Seq, fmt.Sprintf("(%s by %s) does not follow from entry %d: one of the two was written anew", e.What, e.Who, c.Head.Seq)}
	}
	if c.Count == 0 {
		c.First = e.Seq
	} else {
		c.Missing += e.Seq - want
	}
	c.Count++
	c.Head = Head{e.Seq, e.Hash}
	return nil
}
