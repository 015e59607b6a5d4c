package status

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestRequestIsReadToTheLetter(t *testing.T) {
	for line, want := range map[string]Verb{
		`{"do":"status"}`:                                  ShowStatus,
		`{"do":"watch"}` + "\r\n":                          Watch,
		`{"do":"accept","build":42}`:                       Accept,
		`{"do":"decline","build":42}`:                      Decline,
		`{"do":"later","for":"3d"}`:                        Later,
		`{"do":"now"}`:                                     Now,
		`{"do":"now","pastPace":true,"payForData":true}`:   Now,
		`{"do":"retry","build":42}`:                        Retry,
		`{"do":"consent","on":false}`:                      Consent,
		`{"do":"look","bundle":"/media/42"}`:               Look,
		`{"do":"install","bundle":"/media/42","build":42}`: Install,
	} {
		if r, err := ParseRequest([]byte(line)); err != nil || r.Do != want {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	for line, word := range map[string]string{
		``:                                     "",
		`{}`:                                   "",
		`[]`:                                   "",
		`{"do":"status"} {"do":"now"}`:         "",
		`{"do":"reboot"}`:                      "one of status",
		`{"do":"status","force":true}`:         "force",
		`{"do":"status","do":"now"}`:           "",
		`{"Do":"status"}`:                      "",
		`{"do":"status","build":42}`:           "another verb",
		`{"do":"accept"}`:                      "needs a build",
		`{"do":"accept","build":0}`:            "",
		`{"do":"accept","build":"42"}`:         "",
		`{"do":"accept","build":42,"on":true}`: "another verb",
		`{"do":"later"}`:                       `"for"`,
		`{"do":"later","for":"soon"}`:          "duration",
		`{"do":"later","for":"3d","pastPace":true}`:        "another verb",
		`{"do":"consent"}`:                                 `"on"`,
		`{"do":"look"}`:                                    "absolute path",
		`{"do":"look","bundle":"media/42"}`:                "absolute path",
		`{"do":"look","bundle":"/a","build":42}`:           "another verb",
		`{"do":"install","bundle":"/a"}`:                   "needs the build",
		`{"do":"now","for":"3d"}`:                          "another verb",
		`{"do":"now"` + strings.Repeat(" ", MaxLine) + `}`: "4096",
	} {
		if r, err := ParseRequest([]byte(line)); !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), word) || r != (Request{}) {
			t.Errorf("%.80s: %+v, %v; want a refusal that speaks of %q", line, r, err, word)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"do":"status"}`, `{"do":"accept","build":42}`, `{"do":"later","for":"3d"}`, `{"do":"now","pastPace":true}`, `{"do":"consent","on":true}`, `{"do":"install","bundle":"/media/42","build":42}`, "\x00", `{"do":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			if r != (Request{}) {
				t.Fatalf("refused, and yet %+v", r)
			}
			return
		}
		if len(line) > MaxLine+2 && len(strings.TrimRight(string(line), "\r\n")) > MaxLine {
			t.Fatalf("%d bytes were read", len(line))
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRequest(again)
		if err != nil || back.Do != r.Do || back.Build != r.Build || back.PastPace != r.PastPace {
			t.Fatalf("%s is read as %+v, %v", again, back, err)
		}
	})
}
