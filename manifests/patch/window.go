package patch

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// Votes are counted in buckets of bucketBytes of distance between the places in
// the old and the new image. A window reaches windowMargin beyond two of them,
// where the segment leaves room for that.
const (
	bucketBits   = 16
	bucketBytes  = 1 << bucketBits
	windowMargin = 512 << 10
	candidates   = 3 // distances that the votes may propose
)

// findWindows says for each data segment which window of the old image it is
// likest to. Votes alone would often choose a place that has the same code or
// text in another file, so they only propose; what decides is how much of the
// segment a window shows.
func (b *builder) findWindows(ctx context.Context, segments []segment, known *points) error {
	finders := make([]*finder, b.Workers)
	for i := range finders {
		finders[i] = &finder{builder: b, known: known, content: make([]byte, MaxRowBytes), old: make([]byte, MaxWindowBytes)}
	}
	found := make([]window, len(segments)) // nobody writes a segment while others look at it
	err := inOrder(ctx, b.Workers, len(segments), func(worker, i int) (window, error) {
		if segments[i].kind != Plain {
			return window{}, nil
		}
		if ctx.Err() != nil {
			return window{}, context.Cause(ctx)
		}
		return finders[worker].find(&segments[i], neighbours(segments, i))
	}, func(i int, w window) error {
		found[i] = w
		return nil
	})
	for i := range found {
		segments[i].window = found[i]
	}
	return err
}

// finder looks for windows. It is for one goroutine.
type finder struct {
	*builder
	known   *points
	content []byte // of the segment
	old     []byte // a window
	marks   marks
}

// find gives the window that shows most of a segment, among those that the
// votes propose and those at the given distances. It is empty if none shows any.
func (f *finder) find(s *segment, distances []int64) (window, error) {
	content := f.content[:s.length]
	if err := readAll(f.New, content, s.offset); err != nil {
		return window{}, err
	}
	var best window
	most := 0
	var tried []window
	for _, distance := range append(elect(s.offset, content, f.known), distances...) {
		w := f.windowAt(s, distance)
		if w.length == 0 || slices.ContainsFunc(tried, w.near) {
			continue
		}
		tried = append(tried, w)
		old := f.old[:w.length]
		if err := readAll(f.Old, old, w.from); err != nil {
			return window{}, err
		}
		f.marks.set(old)
		if n := f.marks.count(content); n > most {
			best, most = w, n
		}
	}
	return best, nil
}

// elect lets the known stretches of a segment vote for the distance from it to
// the old image, and gives the best few.
func elect(offset int64, content []byte, known *points) []int64 {
	votes := map[int64]int{}
	var r roller
	r.roll(content, known.rare, func(hash uint64, end int) {
		if place, ok := known.find(hash); ok {
			votes[(place-offset-int64(end))>>bucketBits]++
		}
	})
	pair := func(bucket int64) int { return votes[bucket] + votes[bucket+1] }
	buckets := slices.SortedStableFunc(slices.Values(slices.Sorted(maps.Keys(votes))), func(a, b int64) int { return cmp.Compare(pair(b), pair(a)) })
	var out []int64
	for _, bucket := range buckets {
		distance := bucket * bucketBytes
		if len(out) < candidates && !slices.ContainsFunc(out, func(d int64) bool { return max(d-distance, distance-d) <= windowMargin/2 }) {
			out = append(out, distance)
		}
	}
	return out
}

// marks is a set of stretches of 16 bytes, by a hash; now and then two share a
// bit.
type marks [1 << 16]uint64

const markRare = 4 // one stretch in 1<<markRare is looked at

func eachMark(b []byte, found func(word, bit uint64)) {
	hash := uint64(0)
	for _, c := range b {
		hash = hash<<4 + scatter[c]
		if hash>>(64-markRare) == 0 {
			n := hash * 0x9e3779b97f4a7c15 >> (64 - 22)
			found(n>>6, 1<<(n&63))
		}
	}
}

func (m *marks) set(b []byte) {
	clear(m[:])
	eachMark(b, func(word, bit uint64) { m[word] |= bit })
}

// count says how many stretches of b are in the set.
func (m *marks) count(b []byte) int {
	n := 0
	eachMark(b, func(word, bit uint64) {
		if m[word]&bit != 0 {
			n++
		}
	})
	return n
}

// windowAt is the window around the place at this distance of a segment.
func (b *builder) windowAt(s *segment, distance int64) window {
	margin := min(windowMargin, (MaxWindowBytes-int64(s.length)-2*bucketBytes)/2)
	from := max(0, s.offset+distance-margin)
	to := min(b.OldSize, s.offset+distance+2*bucketBytes+int64(s.length)+margin)
	return window{from, int32(max(0, to-from))}
}

// near tells whether two windows show nearly the same.
func (w window) near(v window) bool {
	return max(w.from-v.from, v.from-w.from) <= windowMargin/2
}

// neighbours gives the distances at which the copies before and after data were
// found: what lies between has seldom moved elsewhere.
func neighbours(segments []segment, i int) []int64 {
	var out []int64
	for _, step := range []int{-1, 1} {
		for j := i + step; j >= 0 && j < len(segments); j += step {
			if s := segments[j]; s.kind == Copy {
				out = append(out, s.from-s.offset)
				break
			}
		}
	}
	return out
}
