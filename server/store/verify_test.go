package store_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

func TestNoWriterSeesAllOfWrongBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		o := store.Object{Key: "k", Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
		got, err := io.ReadAll(iotest.OneByteReader(store.Verify(o, iotest.DataErrReader(bytes.NewReader(data)))))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("right bytes: %v", err)
		}
		bad := map[string][]byte{"longer": append(bytes.Clone(data), 1)}
		if len(data) > 0 {
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			flipped := bytes.Clone(data)
			flipped[at] ^= 1
			bad["flipped"], bad["shorter"] = flipped, data[:at]
		}
		for name, b := range bad {
			got, err := io.ReadAll(store.Verify(o, bytes.NewReader(b)))
			if !errors.Is(err, store.ErrMismatch) {
				t.Fatalf("%s: got %v; want ErrMismatch", name, err)
			}
			if len(data) > 0 && len(got) >= len(data) {
				t.Fatalf("%s: a writer was handed all %d bytes", name, len(got))
			}
		}
	})
}

func TestReadErrorIsKept(t *testing.T) {
	broken := errors.New("broken")
	o := store.Object{Key: "k", Size: 2}
	for _, r := range []io.Reader{iotest.ErrReader(broken), io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken))} {
		if _, err := io.ReadAll(store.Verify(o, r)); !errors.Is(err, broken) {
			t.Errorf("got %v; want the reader's own error", err)
		}
	}
}

func TestNamesThatCouldMeanSomethingToAFileSystemRefused(t *testing.T) {
	for _, key := range []string{
		"", "/", "a/", "/a", "a//b", "..", "a/../b", "./a", ".a", "a/.b", "-a", "_a", "A", "a\\b", "a%2fb", "a b", "a\x00", "a\n",
		"é", "a:b", "con\u202eexe", strings.Repeat("a", 129), strings.Repeat("a/", 256) + "ab",
	} {
		if store.CheckKey(key) == nil {
			t.Errorf("%q was taken as a name", key)
		}
	}
	for _, key := range []string{"a", "0", "metadata/1.root.json", "a/b/c-d_e.f", strings.Repeat("a", 128)} {
		if err := store.CheckKey(key); err != nil {
			t.Error(err)
		}
	}
	if store.CheckPrefix("a") == nil || store.CheckPrefix("/") == nil || store.CheckPrefix("../") == nil {
		t.Error("a bad prefix was taken")
	}
}

func FuzzCheckKey(f *testing.F) {
	f.Add("metadata/1.root.json")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, key string) {
		if store.CheckKey(key) != nil {
			return
		}
		for s := range strings.SplitSeq(key, "/") {
			if s == "" || s[0] == '.' || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
				t.Fatalf("%q passed", key)
			}
		}
	})
}
