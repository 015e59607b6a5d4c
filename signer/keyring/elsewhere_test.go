package keyring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/manifests/strict"
)

// place is a backend in memory, for faults of time and files.
type place struct {
	key  *inMemory
	wait func(ctx context.Context, doing string) error
	ask  bool
}

func (p *place) Kind() string { return "place" }

func (p *place) Open(ctx context.Context, _ Location, ask Asker) (Held, error) {
	if p.ask {
		if _, err := ask.Ask(ctx, Question{What: "PIN"}); err != nil {
			return nil, err
		}
	}
	return p, p.wait(ctx, "open")
}

func (p *place) Key() Key           { return p.key.key }
func (p *place) Location() Location { return Location{Kind: "place", Words: []string{"here"}} }
func (p *place) Close() error       { return nil }

func (p *place) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := p.wait(ctx, "sign"); err != nil {
		return nil, err
	}
	return p.key.Sign(ctx, payload)
}

func newPlace(t *testing.T) *place {
	t.Helper()
	signer, err := generate(TypeEd25519)
	if err != nil {
		t.Fatal(err)
	}
	key, err := KeyOf(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &place{key: &inMemory{key, signer}, wait: func(context.Context, string) error { return nil }}
}

var here = KeyElsewhere{Name: "alice", Holder: "Alice Chen", At: Location{Kind: "place", Words: []string{"here"}}, Timeout: time.Minute}

// deaf never answers, as a library that cannot be interrupted.
func deaf(during string) func(context.Context, string) error {
	return func(_ context.Context, doing string) error {
		if doing == during {
			<-time.After(24 * time.Hour)
		}
		return nil
	}
}

func TestPlaceThatDoesNotAnswerIsGivenUpInTime(t *testing.T) {
	for _, during := range []string{"open", "sign"} {
		dir, p := t.TempDir(), newPlace(t)
		synctest.Test(t, func(t *testing.T) {
			p.wait = deaf(during)
			r, began := Open(dir, p), time.Now()
			_, err := r.Add(t.Context(), here, Passphrase(""))
			if !errors.Is(err, ErrTimeout) || time.Since(began) != time.Minute {
				t.Errorf("%s: gave up after %s with %v", during, time.Since(began), err)
			}
			<-time.After(24 * time.Hour) // the library goes on in the background
		})
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", during, left, err)
		}
	}
}

// slow is a person who takes a while to type.
type slow struct{ Passphrase }

func (s slow) Ask(context.Context, Question) (string, error) {
	<-time.After(10 * time.Minute)
	return string(s.Passphrase), nil
}

func TestTypingASecretTakesAsLongAsItTakes(t *testing.T) {
	dir, p := t.TempDir(), newPlace(t)
	p.ask = true
	synctest.Test(t, func(t *testing.T) {
		if _, err := Open(dir, p).Add(t.Context(), here, slow{}); err != nil {
			t.Error(err)
		}
	})
}

func TestUnknownPlaceIsNamed(t *testing.T) {
	p := newPlace(t)
	dir := t.TempDir()
	if _, err := Open(dir, p).Add(t.Context(), here, Passphrase("")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir).Unlock(t.Context(), "alice", Passphrase(""))
	if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "place") {
		t.Errorf("got %v", err)
	}
}

func TestAlteredLocatorIsRefused(t *testing.T) {
	p := newPlace(t)
	dir := t.TempDir()
	r := Open(dir, p)
	if _, err := r.Add(t.Context(), here, Passphrase("")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "alice.key")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"another person": {`"holder":"Alice Chen"`, `"holder":"Mallory"`},
		"another format": {locatorFormat, "candor-key-locator-9"},
		"another kind":   {`"kind":"place"`, `"kind":"elsewhere"`},
		"no time":        {`"timeoutSeconds":60`, `"timeoutSeconds":0`},
		"much time":      {`"timeoutSeconds":60`, `"timeoutSeconds":99999999999`},
		"more":           {`{"at"`, `{"also":1,"at"`},
		"cut":            {`"timeoutSeconds":60}`, ``},
		"cursor control": {`"here"`, `"\u001b[2J"`},
	} {
		bad := strings.Replace(string(good), edit[0], edit[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: the test changes nothing in %s", name, good)
		}
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Unlock(t.Context(), "alice", Passphrase("")); err == nil || !strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSignatureOfAKeyInAFileIsVerifiedToo(t *testing.T) {
	one, two := newPlace(t), newPlace(t)
	public, err := newPublic("alice", "Alice Chen", one.key.key)
	if err != nil {
		t.Fatal(err)
	}
	key := &opened{public: public, held: two.key}
	if _, err := key.Sign(t.Context(), []byte("{}")); !errors.Is(err, ErrWrongSignature) {
		t.Errorf("got %v", err)
	}
}

// mistyping is a person at a terminal.
type mistyping struct {
	answers []string
	again   []bool
}

func (m *mistyping) Tries() int { return 3 }

func (m *mistyping) Ask(_ context.Context, q Question) (string, error) {
	m.again = append(m.again, q.Again)
	answer := m.answers[0]
	m.answers = m.answers[1:]
	return answer, nil
}

func TestPassphraseMayBeMistypedTwice(t *testing.T) {
	r := Open(t.TempDir())
	newKey(t, r, "alice", TypeEd25519)
	person := &mistyping{answers: []string{"wrong", "", pass}}
	if _, err := r.Unlock(t.Context(), "alice", person); err != nil {
		t.Errorf("right the third time: %v", err)
	}
	person = &mistyping{answers: []string{"wrong", "wrong", "wrong", pass}}
	_, err := r.Unlock(t.Context(), "alice", person)
	if !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), "asked 3 times") || len(person.again) != 3 || person.again[0] || !person.again[2] {
		t.Errorf("got %v, asked %v", err, person.again)
	}
}

func TestOneOfManyWhoTakeANameAtOnceGetsIt(t *testing.T) {
	dir := t.TempDir()
	var won, lost sync.Map
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			k := NewKey{Name: "alice", Holder: "Alice Chen", Type: TypeEd25519, WorkFactor: MinWorkFactor}
			if p, err := Open(dir).Create(k, pass); err == nil {
				won.Store(i, p)
			} else {
				lost.Store(i, err)
			}
		})
	}
	wait.Wait()
	winners := 0
	won.Range(func(_, p any) bool {
		winners++
		key, err := Open(dir).Unlock(t.Context(), "alice", Passphrase(pass))
		if err != nil || key.Public() != p {
			t.Errorf("the winner's key: %v", err)
		}
		return true
	})
	lost.Range(func(_, err any) bool {
		if !strings.Contains(err.(error).Error(), "exists already") {
			t.Errorf("a loser is told %v", err)
		}
		return true
	})
	if entries, err := os.ReadDir(dir); winners != 1 || err != nil || len(entries) != 2 {
		t.Errorf("%d winners, files %v, %v", winners, entries, err)
	}
}

func FuzzParseLocator(f *testing.F) {
	public, err := newPublic("alice", "Alice Chen", Key{Type: tufEd25519, Scheme: tufEd25519, Value: KeyValue{Public: strings.Repeat("d7", 32)}})
	if err != nil {
		f.Fatal(err)
	}
	for _, at := range []Location{{"ssh-agent", []string{"SHA256:x"}}, {"command", []string{"/bin/sign", ""}}, {"file", []string{}}} {
		seed, err := strict.Canonical(locator{locatorFormat, public, at, 60})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`-----BEGIN AGE ENCRYPTED FILE-----`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLocator(data)
		if err == nil && (l.Public.check() != nil || l.At.check() != nil || l.Timeout < 1) {
			t.Errorf("%q was taken as %+v", data, l)
		}
	})
}
