package vote_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

var (
	master = vote.Master{1, 2, 3}
	ref    = vote.Ref{Product: "phone", Build: 43}
	good   = vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
)

func key(t testing.TB, m vote.Master, r vote.Ref, c vote.Class, s vote.Set) *vote.Key {
	t.Helper()
	k, err := m.Key(r, c, s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pending(t testing.TB) (vote.Pending, vote.Blinded) {
	t.Helper()
	p, err := vote.NewPending(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Blinded()
	if err != nil {
		t.Fatal(err)
	}
	return p, b
}

func token(t testing.TB, k *vote.Key) vote.Token {
	t.Helper()
	p, b := pending(t)
	answer, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := p.Finish(k.Public(), answer)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func cast(t testing.TB, k *vote.Key) vote.CastRequest {
	t.Helper()
	c, err := token(t, k).Cast(ref, vote.Trial, vote.Primary, good)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTokenIsGoodForOneReleaseClassSetAndVote(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	c := cast(t, k)
	if !k.Accepts(&c) {
		t.Fatal("a genuine vote was refused")
	}
	for name, change := range map[string]func(c *vote.CastRequest){
		"product": func(c *vote.CastRequest) { c.Product = "phono" },
		"build":   func(c *vote.CastRequest) { c.Build++ },
		"class":   func(c *vote.CastRequest) { c.Class = vote.Attempt },
		"set":     func(c *vote.CastRequest) { c.Set = vote.Spare },
		"nonce":   func(c *vote.CastRequest) { c.Nonce[31] ^= 1 },
		"vote":    func(c *vote.CastRequest) { c.Vote.Duration = vote.OverDay },
		"mac":     func(c *vote.CastRequest) { c.MAC[15] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			bad := c
			change(&bad)
			for _, r := range []vote.Ref{ref, bad.Ref()} {
				if key(t, master, r, bad.Class, bad.Set).Accepts(&bad) {
					t.Errorf("a vote with another %s was accepted", name)
				}
			}
			if k.Accepts(&bad) {
				t.Errorf("a vote with another %s was accepted", name)
			}
		})
	}
}

func TestEveryReleaseClassAndSetHasAKeyOfItsOwn(t *testing.T) {
	seen := map[manifests.VoteKey]string{}
	for _, m := range []vote.Master{master, {9}} {
		for _, r := range []vote.Ref{ref, {Product: "phone", Build: 44}, {Product: "phon", Build: 43}} {
			for _, c := range vote.Classes() {
				for _, s := range []vote.Set{vote.Primary, vote.Spare} {
					k := key(t, m, r, c, s)
					name := fmt.Sprint(r, c, s)
					if other, ok := seen[k.Public()]; ok {
						t.Errorf("%s and %s share a key", name, other)
					}
					seen[k.Public()] = name
				}
			}
		}
	}
}

func TestRulesNameTheKeysThatIssue(t *testing.T) {
	primary, spare, err := master.Rules(ref)
	if err != nil {
		t.Fatal(err)
	}
	rules := manifests.VoteRules{Primary: &primary, Spare: &spare}
	for _, c := range vote.Classes() {
		for _, s := range []vote.Set{vote.Primary, vote.Spare} {
			got, ok := vote.KeyOf(rules, c, s)
			if !ok || got != key(t, master, ref, c, s).Public() {
				t.Errorf("%s %s: the release names another key", s, c)
			}
			if err := vote.CheckKey(got); err != nil {
				t.Error(err)
			}
		}
	}
	if _, ok := vote.KeyOf(manifests.VoteRules{}, vote.Trial, vote.Primary); ok {
		t.Error("a release without keys takes votes")
	}
}

func TestAnswerUnderAnotherKeyIsRefused(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	other := key(t, vote.Master{7}, ref, vote.Trial, vote.Primary)
	p, b := pending(t)
	answer, err := other.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(k.Public(), answer); !errors.Is(err, vote.ErrProof) {
		t.Errorf("got %v; want ErrProof, or the server could give each handset a key of its own", err)
	}
	genuine, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	genuine.Proof[40] ^= 1
	if _, err := p.Finish(k.Public(), genuine); !errors.Is(err, vote.ErrProof) {
		t.Errorf("changed proof: got %v; want ErrProof", err)
	}
}

func TestPowerCutBetweenRequestAndAnswerLosesNothing(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	p, sent := pending(t)
	onDisk, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	first, err := k.Evaluate(sent)
	if err != nil {
		t.Fatal(err)
	}
	var after vote.Pending
	if err := json.Unmarshal(onDisk, &after); err != nil {
		t.Fatal(err)
	}
	again, err := after.Blinded()
	if err != nil || again != sent {
		t.Fatalf("after the power cut another element is sent (%v)", err)
	}
	second, err := k.Evaluate(again)
	if err != nil {
		t.Fatal(err)
	}
	if first.Evaluated != second.Evaluated {
		t.Error("the same element got another answer")
	}
	a, err := p.Finish(k.Public(), first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := after.Finish(k.Public(), second)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := a.MarshalText()
	y, _ := b.MarshalText()
	if !bytes.Equal(x, y) {
		t.Error("the two answers make two tokens")
	}
}

func TestTokenSurvivesStorage(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	tok := token(t, k)
	text, err := tok.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back vote.Token
	if err := back.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	c, err := back.Cast(ref, vote.Trial, vote.Primary, good)
	if err != nil {
		t.Fatal(err)
	}
	if !k.Accepts(&c) {
		t.Error("a token from storage is not accepted")
	}
	if err := back.UnmarshalText(text[:40]); err == nil {
		t.Error("half a token was read")
	}
}

func TestIdentityAndNonCanonicalElementsRefused(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	p, b := pending(t)
	answer, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range badElements(t, k.Public()) {
		if _, err := k.Evaluate(e); !errors.Is(err, vote.ErrElement) {
			t.Errorf("%s was evaluated: %v", name, err)
		}
		if err := vote.CheckKey(manifests.VoteKey(e)); !errors.Is(err, vote.ErrElement) {
			t.Errorf("%s was taken as a key: %v", name, err)
		}
		if _, err := p.Finish(manifests.VoteKey(e), answer); !errors.Is(err, vote.ErrElement) {
			t.Errorf("%s was taken as the key of a release: %v", name, err)
		}
		bad := answer
		bad.Evaluated = vote.Evaluated(e)
		if _, err := p.Finish(k.Public(), bad); !errors.Is(err, vote.ErrElement) {
			t.Errorf("%s was taken as an answer: %v", name, err)
		}
	}
	if _, err := (vote.Pending{}).Blinded(); !errors.Is(err, vote.ErrElement) {
		t.Errorf("a zero blind was used: %v", err)
	}
}

// badElements has the identity and encodings that RFC 9496 section 4.3.1
// tells decoders to refuse.
func badElements(t *testing.T, goodKey manifests.VoteKey) map[string]vote.Blinded {
	t.Helper()
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	little := func(n *big.Int) (b vote.Blinded) {
		n.FillBytes(b[:])
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		return b
	}
	value := new(big.Int)
	for i := range 32 {
		value.Or(value, new(big.Int).Lsh(big.NewInt(int64(goodKey[i])), uint(8*i)))
	}
	high := vote.Blinded(goodKey)
	high[31] |= 0x80
	return map[string]vote.Blinded{
		"the identity":            {},
		"the identity as p":       little(p),
		"p + 2":                   little(new(big.Int).Add(p, big.NewInt(2))),
		"one":                     {1},
		"a negative element":      little(new(big.Int).Sub(p, value)),
		"an element with bit 255": high,
		"all ones":                vote.Blinded(bytes.Repeat([]byte{0xff}, 32)),
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	tok := token(t, k)
	c, err := tok.Cast(ref, vote.Trial, vote.Primary, good)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %s %#v %v %v", master, master, master, master, tok, c)
	raw, _ := tok.MarshalText()
	for name, secret := range map[string]string{
		"master": fmt.Sprint([32]byte(master))[1:20], "token": string(raw),
		"mac": base64.StdEncoding.EncodeToString(c.MAC[:]), "mac digits": strings.Trim(fmt.Sprint([16]byte(c.MAC)), "[]"),
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is printed: %s", name, text)
		}
	}
}

// Handsets and servers of different age must agree on every byte.
func TestBytesAreFrozen(t *testing.T) {
	k := key(t, master, ref, vote.Trial, vote.Primary)
	p, err := vote.NewPending(bytes.NewReader(bytes.Repeat([]byte{0x5a}, 96)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Blinded()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := k.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := p.Finish(k.Public(), answer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tok.Cast(ref, vote.Trial, vote.Primary, good)
	if err != nil {
		t.Fatal(err)
	}
	null := k.Nullifier(c.Nonce)
	pub := k.Public()
	for _, v := range []struct{ name, got, want string }{
		{"public key", hex.EncodeToString(pub[:]), "860549e928fdd5aa85e42240e5d39aba1ad3b871e26517080b0ff00a2b058b34"},
		{"blinded", hex.EncodeToString(b[:]), "b29830be85e3195893f9c0dd1f187e2e956a264e7e788e3029a762743461292c"},
		{"evaluated", hex.EncodeToString(answer.Evaluated[:]), "620e37825e1f0d460219c4cb0868415fcea7018249b43b06f834424707b16706"},
		{"mac", hex.EncodeToString(c.MAC[:]), "03fae0925404b93472893a6964021909"},
		{"nullifier", hex.EncodeToString(null[:]), "d9f832dbff96c96aa4eea7c4fb6aba86"},
	} {
		if v.got != v.want {
			t.Errorf("%s is %s; frozen as %s", v.name, v.got, v.want)
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	k := key(b, master, ref, vote.Trial, vote.Primary)
	_, e := pending(b)
	for b.Loop() {
		if _, err := k.Evaluate(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccept(b *testing.B) {
	k := key(b, master, ref, vote.Trial, vote.Primary)
	c := cast(b, k)
	for b.Loop() {
		if !k.Accepts(&c) {
			b.Fatal("refused")
		}
	}
}
