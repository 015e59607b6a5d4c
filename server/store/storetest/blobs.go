package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Blobs holds a store to the contract of store.Blobs. open gives an empty
// store; big is an object size that takes the driver's path for large objects.
func Blobs(t *testing.T, big int64, open func(t *testing.T) store.Blobs) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, store.Blobs)
	}{
		{"WhatWasPutIsRead", whatWasPutIsRead},
		{"SameBytesAgainAreFine", sameBytesAgain},
		{"OtherBytesUnderANameRefused", otherBytesRefused},
		{"WrongBytesLeaveNothing", wrongBytesLeaveNothing},
		{"OneOfManyWritersWins", oneWriterWins},
		{"ReadsFromAnyOffset", readsFromAnyOffset},
		{"MissingIsNotFound", missingIsNotFound},
		{"DeleteCanBeRepeated", deleteCanBeRepeated},
		{"ListSeesWhatIsBelow", listSeesWhatIsBelow},
		{"BadNamesRefused", badNamesRefused},
		{"HeadIsComparedAndSwapped", headIsSwapped},
		{"OneOfManySuccessorsWins", oneSuccessorWins},
		{"LostAnswerOfReplaceIsHarmless", lostAnswerOfReplace},
		{"OversizeHeadRefused", oversizeHead},
		{"CancelledPutLeavesNothing", cancelledPut},
	} {
		t.Run(c.promise, func(t *testing.T) { c.check(t, open(t)) })
	}
	t.Run("LargeObjects", func(t *testing.T) { largeObjects(t, open(t), big) })
}

func announce(key string, data []byte) store.Object {
	return store.Object{Key: key, Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
}

func put(t *testing.T, b store.Blobs, key, data string) {
	t.Helper()
	if err := store.PutBytes(t.Context(), b, key, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, b store.Blobs, key string) string {
	t.Helper()
	r, info, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(data)) || info.Key != key || info.Modified.IsZero() {
		t.Errorf("%s: info is %+v for %d bytes", key, info, len(data))
	}
	return string(data)
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v; want %v", err, target)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func whatWasPutIsRead(t *testing.T, b store.Blobs) {
	for key, data := range map[string]string{"empty": "", "one": "1", "a/b/c/deep.json": strings.Repeat("x", 100_000)} {
		put(t, b, key, data)
		if read(t, b, key) != data {
			t.Errorf("%s reads back otherwise", key)
		}
		if info, err := b.Stat(t.Context(), key); err != nil || info.Size != int64(len(data)) || info.Key != key {
			t.Errorf("stat %s: %+v, %v", key, info, err)
		}
	}
}

func sameBytesAgain(t *testing.T, b store.Blobs) {
	put(t, b, "a/x", "same")
	put(t, b, "a/x", "same")
	unread := announce("a/x", []byte("same"))
	ok(t, b.Put(t.Context(), unread, strings.NewReader("same")))
}

func otherBytesRefused(t *testing.T, b store.Blobs) {
	put(t, b, "a/x", "first")
	for _, other := range []string{"other", "longer than that", ""} {
		want(t, store.PutBytes(t.Context(), b, "a/x", []byte(other)), store.ErrExists)
	}
	if read(t, b, "a/x") != "first" {
		t.Error("the first bytes were overwritten")
	}
}

func wrongBytesLeaveNothing(t *testing.T, b store.Blobs) {
	o := announce("x", []byte("right"))
	for _, body := range []string{"wrong", "righ", "right and more", ""} {
		want(t, b.Put(t.Context(), o, strings.NewReader(body)), store.ErrMismatch)
		_, err := b.Stat(t.Context(), "x")
		want(t, err, store.ErrNotFound)
	}
	empty := announce("x", nil)
	want(t, b.Put(t.Context(), empty, strings.NewReader("more")), store.ErrMismatch)
	broken := errors.New("the line went dead")
	want(t, b.Put(t.Context(), o, io.MultiReader(strings.NewReader("rig"), &broke{broken})), broken)
	put(t, b, "x", "right")
}

type broke struct{ err error }

func (b *broke) Read([]byte) (int, error) { return 0, b.err }

// many runs f side by side and gives how many returned nil. All others must
// have failed with lost.
func many(t *testing.T, lost error, f func(i int) error) int {
	t.Helper()
	const n = 8
	errs := make([]error, n)
	var start, end sync.WaitGroup
	start.Add(1)
	for i := range n {
		end.Go(func() {
			start.Wait()
			errs[i] = f(i)
		})
	}
	start.Done()
	end.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			want(t, err, lost)
		}
	}
	return won
}

func oneWriterWins(t *testing.T, b store.Blobs) {
	for round := range 4 {
		key := fmt.Sprintf("race/%d", round)
		won := many(t, store.ErrExists, func(i int) error {
			return store.PutBytes(t.Context(), b, key, fmt.Appendf(nil, "writer %d", i))
		})
		if won != 1 {
			t.Errorf("%d writers were told that theirs is there", won)
		}
	}
}

func readsFromAnyOffset(t *testing.T, b store.Blobs) {
	data := make([]byte, 50_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	ok(t, store.PutBytes(t.Context(), b, "x", data))
	r, _, err := b.Open(t.Context(), "x")
	ok(t, err)
	for _, at := range []int64{0, 49_999, 17, 30_000} {
		_, err := r.Seek(at, io.SeekStart)
		ok(t, err)
		got := make([]byte, min(100, len(data)-int(at)))
		_, err = io.ReadFull(r, got)
		ok(t, err)
		if !bytes.Equal(got, data[at:at+int64(len(got))]) {
			t.Errorf("other bytes at offset %d", at)
		}
	}
	if end, err := r.Seek(0, io.SeekEnd); err != nil || end != int64(len(data)) {
		t.Errorf("the end is at %d, %v", end, err)
	}
	ok(t, r.Close())
}

func missingIsNotFound(t *testing.T, b store.Blobs) {
	put(t, b, "a/x", "1")
	for _, key := range []string{"b", "a", "a/y", "a/x/y"} {
		_, _, err := b.Open(t.Context(), key)
		want(t, err, store.ErrNotFound)
		_, err = b.Stat(t.Context(), key)
		want(t, err, store.ErrNotFound)
		_, _, err = b.Load(t.Context(), key)
		want(t, err, store.ErrNotFound)
	}
}

func deleteCanBeRepeated(t *testing.T, b store.Blobs) {
	put(t, b, "a/x", "1")
	put(t, b, "a/y", "2")
	for range 2 {
		ok(t, b.Delete(t.Context(), "a/x"))
	}
	_, err := b.Stat(t.Context(), "a/x")
	want(t, err, store.ErrNotFound)
	if read(t, b, "a/y") != "2" {
		t.Error("the neighbour changed")
	}
	put(t, b, "a/x", "other bytes under a free name")
}

func listSeesWhatIsBelow(t *testing.T, b store.Blobs) {
	all := []string{"a/x", "a/y/z", "ab", "b/x"}
	for _, key := range all {
		put(t, b, key, key)
	}
	for prefix, keys := range map[string][]string{"": all, "a/": {"a/x", "a/y/z"}, "a/y/": {"a/y/z"}, "none/": nil} {
		var got []string
		for info, err := range b.List(t.Context(), prefix) {
			ok(t, err)
			if info.Size != int64(len(info.Key)) {
				t.Errorf("%s has size %d", info.Key, info.Size)
			}
			got = append(got, info.Key)
		}
		slices.Sort(got)
		if !slices.Equal(got, keys) {
			t.Errorf("below %q: %v; want %v", prefix, got, keys)
		}
	}
	for _, err := range b.List(t.Context(), "") {
		ok(t, err)
		break // leaving early is fine
	}
}

func badNamesRefused(t *testing.T, b store.Blobs) {
	for _, key := range []string{"", "../x", "a/../../x", "/etc/passwd", ".lock", ".tmp/x", "A", "a\\b", "a%2fb"} {
		if err := store.PutBytes(t.Context(), b, key, nil); err == nil {
			t.Errorf("%q was written", key)
		}
		if _, _, err := b.Open(t.Context(), key); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q was looked for: %v", key, err)
		}
		_, statErr := b.Stat(t.Context(), key)
		_, _, loadErr := b.Load(t.Context(), key)
		_, replaceErr := b.Replace(t.Context(), key, nil, "")
		if statErr == nil || loadErr == nil || replaceErr == nil || b.Delete(t.Context(), key) == nil {
			t.Errorf("%q was touched", key)
		}
	}
	for _, err := range b.List(t.Context(), "../") {
		if err == nil {
			t.Error("a folder above was listed")
		}
	}
}

func headIsSwapped(t *testing.T, b store.Blobs) {
	ctx := t.Context()
	_, err := b.Replace(ctx, "head", []byte("0"), "made-up")
	want(t, err, store.ErrStale)
	first, err := b.Replace(ctx, "head", []byte("1"), "")
	ok(t, err)
	_, err = b.Replace(ctx, "head", []byte("2"), "")
	want(t, err, store.ErrStale)
	second, err := b.Replace(ctx, "head", []byte("2"), first)
	ok(t, err)
	_, err = b.Replace(ctx, "head", []byte("3"), first)
	want(t, err, store.ErrStale)
	data, tag, err := b.Load(ctx, "head")
	ok(t, err)
	if string(data) != "2" || tag != second || first == second || second == "" {
		t.Errorf("head is %q at %q; want 2 at %q", data, tag, second)
	}
	if read(t, b, "head") != "2" {
		t.Error("Open sees another head than Load")
	}
}

func oneSuccessorWins(t *testing.T, b store.Blobs) {
	tag, err := b.Replace(t.Context(), "head", []byte("start"), "")
	ok(t, err)
	for round := range 4 {
		won := many(t, store.ErrStale, func(i int) error {
			_, err := b.Replace(t.Context(), "head", fmt.Appendf(nil, "round %d by %d", round, i), tag)
			return err
		})
		if won != 1 {
			t.Errorf("%d successors were told that theirs stands", won)
		}
		_, tag, err = b.Load(t.Context(), "head")
		ok(t, err)
	}
}

func lostAnswerOfReplace(t *testing.T, b store.Blobs) {
	first, err := b.Replace(t.Context(), "head", []byte("1"), "")
	ok(t, err)
	for range 2 {
		again, err := b.Replace(t.Context(), "head", []byte("1"), "")
		ok(t, err)
		if again != first {
			t.Error("the same bytes have another version")
		}
	}
}

func oversizeHead(t *testing.T, b store.Blobs) {
	if _, err := b.Replace(t.Context(), "head", make([]byte, store.MaxHead+1), ""); err == nil {
		t.Error("a head beyond the limit was written")
	}
	ok(t, store.PutBytes(t.Context(), b, "big", make([]byte, store.MaxHead+1)))
	if _, _, err := b.Load(t.Context(), "big"); err == nil {
		t.Error("a head beyond the limit was read into memory")
	}
}

func cancelledPut(t *testing.T, b store.Blobs) {
	ctx, cancel := context.WithCancel(t.Context())
	data := []byte("some bytes")
	stop := readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, data[:1]), nil
	})
	if err := b.Put(ctx, announce("x", data), stop); err == nil {
		t.Fatal("a cancelled write succeeded")
	}
	_, err := b.Stat(t.Context(), "x")
	want(t, err, store.ErrNotFound)
	put(t, b, "x", "some bytes")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func largeObjects(t *testing.T, b store.Blobs, size int64) {
	data := bytes.Repeat([]byte("0123456789abcdef"), int(size/16))
	o := announce("large/x", data)
	flipped := bytes.Clone(data)
	flipped[len(flipped)-1] ^= 1
	want(t, b.Put(t.Context(), o, bytes.NewReader(flipped)), store.ErrMismatch)
	_, err := b.Stat(t.Context(), o.Key)
	want(t, err, store.ErrNotFound)

	ok(t, b.Put(t.Context(), o, bytes.NewReader(data)))
	ok(t, b.Put(t.Context(), o, bytes.NewReader(data)))
	want(t, store.PutBytes(t.Context(), b, o.Key, flipped), store.ErrExists)
	if read(t, b, o.Key) != string(data) {
		t.Error("a large object reads back otherwise")
	}
	won := many(t, store.ErrExists, func(i int) error {
		other := bytes.Clone(data)
		other[0] = byte(i)
		return store.PutBytes(t.Context(), b, "large/race", other)
	})
	if won != 1 {
		t.Errorf("%d writers of a large object were told that theirs is there", won)
	}
}
