package relational

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// A spent nullifier leaves a mark of 14 bytes: 9 of the nullifier, by which it
// is found, and 5 of the vote's MAC, which tell the same vote again from
// another. Both are uniform, so with 10^8 marks of a release the chance that
// any two honest handsets ever met in 9 bytes is one in a million, and whoever
// looks for a second body of his own vote with the same 5 only gets it ignored.
//
// A row per mark would cost two and a half times as much as the mark, and on
// PostgreSQL six times. So marks lie in buckets, like the leaves of a B-tree: a row has
// up to bucketMarks of them, sorted, from its number First up to the First of
// the next. A bucket that is full splits in the middle. Sorted as they are,
// marks do not say in which order they came.
const (
	markKey     = 9
	markSize    = markKey + 5
	bucketMarks = 32
)

// Bucket is a row of marks.
type Bucket struct {
	First int64
	Marks []byte
}

// mark is the mark of a vote.
func mark(n vote.Nullifier, check [8]byte) (m [markSize]byte) {
	copy(m[:markKey], n[:])
	copy(m[markKey:], check[:])
	return m
}

// place is where a mark belongs: below it, the bucket with the greatest First.
// The top bit is turned, so that numbers with a sign stand in the order of the
// bytes.
func place(m []byte) int64 { return int64(binary.BigEndian.Uint64(m) ^ 1<<63) }

// spent is a mark that wants to be written, and the one that stands under its
// key afterwards; isNew tells that it is this one.
type spent struct {
	mark, stored [markSize]byte
	isNew        bool
}

// spend writes marks of one release whose keys differ; those that are there
// already are left alone.
func (l *Ledger) spend(ctx context.Context, tx *sql.Tx, release int64, wanted []*spent) error {
	slices.SortFunc(wanted, func(a, b *spent) int { return bytes.Compare(a.mark[:], b.mark[:]) })
	places := make([]int64, len(wanted))
	for i, w := range wanted {
		places[i] = place(w.mark[:])
	}
	buckets, err := l.dialect.Buckets(ctx, tx, release, places)
	if err != nil {
		return err
	}
	if len(buckets) == 0 {
		buckets = []Bucket{{First: math.MinInt64}} // the first vote of the release
	}
	var changed []Bucket
	for i := range buckets {
		n := len(wanted)
		if i+1 < len(buckets) {
			n = sort.Search(n, func(k int) bool { return place(wanted[k].mark[:]) >= buckets[i+1].First })
		}
		b, err := buckets[i].take(wanted[:n])
		if err != nil {
			return fmt.Errorf("marks of release %d: %w", release, err)
		}
		changed, wanted = append(changed, b...), wanted[n:]
	}
	if len(changed) == 0 {
		return nil
	}
	return l.dialect.Keep(ctx, tx, release, changed)
}

var errMarks = errors.New("a bucket holds a part of a mark; the ledger is damaged")

// take merges marks into a bucket and gives what is to be written: nothing, the
// bucket, or several.
func (b *Bucket) take(wanted []*spent) ([]Bucket, error) {
	if len(b.Marks)%markSize != 0 {
		return nil, errMarks
	}
	out := make([]byte, 0, len(b.Marks)+len(wanted)*markSize)
	rest := b.Marks
	for _, w := range wanted {
		n := sort.Search(len(rest)/markSize, func(i int) bool {
			return bytes.Compare(rest[i*markSize:i*markSize+markKey], w.mark[:markKey]) >= 0
		})
		out = append(out, rest[:n*markSize]...)
		rest = rest[n*markSize:]
		if len(rest) > 0 && bytes.Equal(rest[:markKey], w.mark[:markKey]) {
			copy(w.stored[:], rest)
			continue
		}
		w.stored, w.isNew = w.mark, true
		out = append(out, w.mark[:]...)
	}
	out = append(out, rest...)
	if len(out) == len(b.Marks) {
		return nil, nil
	}
	return Bucket{b.First, out}.split(nil), nil
}

// split halves a bucket until no part is too full. Marks of one place stay
// together, though only a searcher of collisions makes two of them.
func (b Bucket) split(into []Bucket) []Bucket {
	n := len(b.Marks) / markSize
	if n <= bucketMarks {
		return append(into, b)
	}
	at := n / 2
	for at < n && place(b.Marks[at*markSize:]) == place(b.Marks[(at-1)*markSize:]) {
		at++
	}
	if at == n {
		return append(into, b)
	}
	upper := Bucket{place(b.Marks[at*markSize:]), b.Marks[at*markSize:]}
	return upper.split(Bucket{b.First, b.Marks[:at*markSize]}.split(into))
}

// spend writes the marks of a group's votes, release by release, and counts
// those that are new. A nonce that is in the group twice is written once.
func (b *batch) spend(ctx context.Context, jobs []*job) error {
	type nonce struct {
		release int64
		key     [markKey]byte
	}
	first := make(map[nonce]*spent, len(jobs))
	rows := make([]spent, 0, len(jobs)) // never grows: first points into it
	byRelease := map[int64][]*spent{}
	each := func(f func(j *job, id nonce, m [markSize]byte)) {
		for _, j := range jobs {
			if j.cast != nil && j.answer == nil {
				m := mark(j.cast.Nullifier, j.cast.Check)
				f(j, nonce{b.releases[j.cast.Ref].id, [markKey]byte(m[:])}, m)
			}
		}
	}
	each(func(_ *job, id nonce, m [markSize]byte) {
		if first[id] == nil {
			rows = append(rows, spent{mark: m})
			first[id] = &rows[len(rows)-1]
			byRelease[id.release] = append(byRelease[id.release], first[id])
		}
	})
	for release, wanted := range byRelease {
		if err := b.l.spend(ctx, b.tx, release, wanted); err != nil {
			return err
		}
	}
	each(func(j *job, id nonce, m [markSize]byte) {
		switch s := first[id]; {
		case m != s.stored:
			j.answer = store.ErrConflict
		case s.isNew: // and this is the first that says so
			s.isNew = false
			b.count(id.release, j.cast)
		}
	})
	return nil
}
