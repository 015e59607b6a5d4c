package relational

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests/vote"
)

// memory keeps the buckets of one release.
type memory struct {
	Dialect // what spend does not call
	rows    map[int64][]byte
}

func (m *memory) Buckets(_ context.Context, _ *sql.Tx, _ int64, places []int64) (list []Bucket, _ error) {
	var firsts []int64
	for f := range m.rows {
		firsts = append(firsts, f)
	}
	slices.Sort(firsts)
	for i, f := range firsts {
		in := func(p int64) bool { return p >= f && (i+1 == len(firsts) || p < firsts[i+1]) }
		if slices.ContainsFunc(places, in) {
			list = append(list, Bucket{f, m.rows[f]})
		}
	}
	return list, nil
}

func (m *memory) Keep(_ context.Context, _ *sql.Tx, _ int64, buckets []Bucket) error {
	for _, b := range buckets {
		m.rows[b.First] = bytes.Clone(b.Marks)
	}
	return nil
}

// A nonce is spent once, whatever group it comes in and however buckets split,
// and the mark that was there first is the one that is told.
func TestNonceIsSpentOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &memory{rows: map[int64][]byte{}}
		l := &Ledger{dialect: m}
		model := map[[markKey]byte][markSize]byte{}
		few := rapid.Bool().Draw(t, "few different nonces")
		for range rapid.IntRange(1, 12).Draw(t, "groups") {
			group := map[[markKey]byte]*spent{}
			var wanted []*spent
			for range rapid.IntRange(1, 150).Draw(t, "votes") {
				var n vote.Nullifier
				if few {
					n[0], n[8] = rapid.Byte().Draw(t, "n"), rapid.Byte().Draw(t, "tail")&1
				} else {
					copy(n[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "n"))
				}
				s := &spent{mark: mark(n, [8]byte{rapid.Byte().Draw(t, "check") & 1})}
				if key := [markKey]byte(s.mark[:]); group[key] == nil {
					group[key] = s
					wanted = append(wanted, s)
				}
			}
			if err := l.spend(t.Context(), nil, 1, wanted); err != nil {
				t.Fatal(err)
			}
			for key, s := range group {
				before, was := model[key]
				if !was {
					model[key], before = s.mark, s.mark
				}
				if s.isNew == was || s.stored != before {
					t.Fatalf("%x: new %v, stored %x; was there: %v, as %x", s.mark, s.isNew, s.stored, was, before)
				}
			}
		}
		all, firsts := 0, []int64{}
		for f, marks := range m.rows {
			firsts = append(firsts, f)
			all += len(marks) / markSize
			if len(marks) > bucketMarks*markSize {
				t.Errorf("a bucket of %d marks", len(marks)/markSize)
			}
			for at := markSize; at < len(marks); at += markSize {
				if bytes.Compare(marks[at-markSize:at-markSize+markKey], marks[at:at+markKey]) >= 0 {
					t.Fatal("a bucket is not sorted, so it tells who came first")
				}
			}
		}
		if all != len(model) || !slices.Contains(firsts, math.MinInt64) {
			t.Errorf("%d marks are kept of %d, in %v", all, len(model), firsts)
		}
	})
}

func TestDamagedBucketIsRefused(t *testing.T) {
	m := &memory{rows: map[int64][]byte{math.MinInt64: make([]byte, markSize+1)}}
	if err := (&Ledger{dialect: m}).spend(t.Context(), nil, 1, []*spent{{}}); err == nil {
		t.Error("half a mark was read over")
	}
}
