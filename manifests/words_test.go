package manifests_test

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
)

func TestWordsAreDistinct(t *testing.T) {
	seen := map[string]byte{}
	for i := range 256 {
		w := manifests.Word(byte(i))
		if other, ok := seen[w]; ok {
			t.Errorf("%q stands for %d and %d", w, other, i)
		}
		seen[w] = byte(i)
	}
	h, err := manifests.ParseSHA256(strings.Repeat("00ff", 16))
	if err != nil {
		t.Fatal(err)
	}
	if words := h.Words(); len(strings.Fields(words)) != 8 {
		t.Errorf("words: %q", words)
	}
	if !manifests.SameWords("  BAdan  muvul badan muvul badan muvul badan muvul ", h.Words()) {
		t.Errorf("typed words were not recognised: %s", h.Words())
	}
	if manifests.SameWords("badan", h.Words()) {
		t.Error("the first word alone was enough")
	}
}
