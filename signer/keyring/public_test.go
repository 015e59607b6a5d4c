package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
)

func TestPublicFileIsReadStrictly(t *testing.T) {
	p := newKey(t, Open(t.TempDir()), "alice", TypeP256)
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParsePublic(data); err != nil || back != p {
		t.Fatalf("round trip: %v %v", back, err)
	}
	for name, bad := range map[string]string{
		"unknown field": strings.Replace(string(data), `{`, `{"x":1,`, 1),
		"other id":      strings.Replace(string(data), p.KeyID, strings.Repeat("0", 64), 1),
		"other format":  strings.Replace(string(data), publicFormat, "candor-public-key-9", 1),
		"not a key":     strings.Replace(string(data), "BEGIN PUBLIC", "BEGIN PUBLIK", 1),
		"padded PEM":    strings.Replace(string(data), `-----END PUBLIC KEY-----\n`, `-----END PUBLIC KEY-----\n\n`, 1),
		"trailing":      string(data) + "{}",
		"html":          "<html>",
	} {
		if bad == string(data) {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := ParsePublic([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOtherCurvesRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := KeyOf(key.Public()); err == nil {
		t.Error("a P-384 key was taken")
	}
}

func TestWordsNeedAWholeHash(t *testing.T) {
	words, err := Words(strings.Repeat("00ff", 16))
	if err != nil || !strings.HasPrefix(words, "badan muvul badan ") {
		t.Errorf("words: %q %v", words, err)
	}
	if _, err := Words("00ff"); err == nil {
		t.Error("words of half a hash")
	}
}

func TestOnePersonUnderTwoSpellingsIsOne(t *testing.T) {
	for _, pair := range [][2]string{{"Alice Chen", "alice  CHEN"}, {"José", "Jose\u0301"}, {"Ａlice", "Alice"}} {
		if !SameHolder(pair[0], pair[1]) {
			t.Errorf("%q and %q count as two people", pair[0], pair[1])
		}
	}
	if SameHolder("Alice Chen", "Bob Chen") {
		t.Error("two people count as one")
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add([]byte(`{"format":"candor-public-key-1","name":"a","holder":"A","keyid":"","key":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":""}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePublic(data)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParsePublic(again); err != nil || back != p {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func TestOneKeyHasOneSpelling(t *testing.T) {
	for _, kind := range []string{TypeEd25519, TypeP256} {
		k := newKey(t, Open(t.TempDir()), "alice", kind).Key
		if _, err := k.Parse(); err != nil {
			t.Fatal(err)
		}
		k.Value.Public += "\n"
		if kind == TypeEd25519 {
			k.Value.Public = strings.ToUpper(strings.TrimSpace(k.Value.Public))
		}
		if _, err := k.Parse(); err == nil {
			t.Errorf("%s: a second spelling was taken", kind)
		}
	}
}
