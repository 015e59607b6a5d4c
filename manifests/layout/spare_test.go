package layout_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

func fields(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSpareVotesAreReadStrictly(t *testing.T) {
	for text, want := range map[string][]manifests.Build{
		`{}`: nil, `{"x-next-by":"2026"}`: nil, `{"x-spare-votes":[43]}`: {43}, `{"x-spare-votes":[1,43,9007199254740991]}`: {1, 43, 1<<53 - 1},
	} {
		got, err := layout.SpareVotes(fields(t, text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		`{"x-spare-votes":[]}`, `{"x-spare-votes":43}`, `{"x-spare-votes":null}`, `{"x-spare-votes":["43"]}`, `{"x-spare-votes":[43,43]}`,
		`{"x-spare-votes":[43,42]}`, `{"x-spare-votes":[0]}`, `{"x-spare-votes":[-1]}`, `{"x-spare-votes":[1.5]}`, `{"x-spare-votes":[9007199254740992]}`,
		`{"x-spare-votes":[1e300]}`, `{"x-spare-votes":{"43":true}}`,
	} {
		if got, err := layout.SpareVotes(fields(t, text)); err == nil {
			t.Errorf("%s was read as %v", text, got)
		}
	}
}

func TestSpareVotesAreWrittenAsTheyAreRead(t *testing.T) {
	list := []manifests.Build{2, 43, 1<<53 - 1}
	data, err := json.Marshal(layout.WithSpareVotes(fields(t, `{"x-next-by":"2026","x-spare-votes":[1]}`), list))
	if err != nil || string(data) != `{"x-next-by":"2026","x-spare-votes":[2,43,9007199254740991]}` {
		t.Errorf("%s, %v", data, err)
	}
	if got, err := layout.SpareVotes(fields(t, string(data))); err != nil || !slices.Equal(got, list) {
		t.Errorf("%v, %v", got, err)
	}
	if got := layout.WithSpareVotes(fields(t, `{"x-spare-votes":[1]}`), nil); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestVotesDoNotGoBackToTheirFirstKeys(t *testing.T) {
	signed := func(b manifests.Build) bool { return b == 42 || b == 43 }
	list := func(b ...manifests.Build) []manifests.Build { return b }
	for _, c := range []struct {
		builds, before []manifests.Build
		want           string
	}{
		{nil, nil, ""},
		{list(43), nil, ""},
		{list(42, 43), list(43), ""},
		{nil, list(41), ""}, // it was withdrawn
		{list(44), nil, "44 is not among"},
		{nil, list(43), "43 was listed before"},
		{list(42), list(42, 43), "43 was listed before"},
	} {
		err := layout.CheckSpareVotes(c.builds, c.before, signed)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v after %v: %v", c.builds, c.before, err)
		}
	}
}

func FuzzSpareVotes(f *testing.F) {
	for _, text := range []string{`{"x-spare-votes":[43]}`, `{"x-spare-votes":[1,2,9007199254740991]}`, `{"x-spare-votes":[2,1]}`, `{"x-spare-votes":[1e3]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]any
		if json.Unmarshal([]byte(text), &in) != nil || in == nil {
			return
		}
		list, err := layout.SpareVotes(in)
		if err != nil {
			return
		}
		back, err := layout.SpareVotes(layout.WithSpareVotes(in, list))
		if err != nil || !slices.Equal(back, list) || !slices.IsSorted(list) {
			t.Fatalf("%v came back as %v, %v", list, back, err)
		}
	})
}
