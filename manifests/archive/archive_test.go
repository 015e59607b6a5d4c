package archive_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/archive"
	"github.com/candor-ota/candor/manifests/layout"
)

func example(tb testing.TB) []byte {
	tb.Helper()
	a := archive.Archive{
		Spec: archive.Spec, Product: "phone", Build: 41, How: layout.Retired,
		Live: map[string][]byte{"metadata/1.root.json": []byte("{}")}, Gone: map[string][]byte{"metadata/3.releases-phone.json": []byte("{}")},
	}
	data, err := a.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestArchiveHasOneForm(t *testing.T) {
	good := string(example(t))
	if a, err := archive.Parse([]byte(good)); err != nil || a.Build != 41 {
		t.Fatal(a, err)
	}
	for name, bad := range map[string]string{
		"other spec":    strings.Replace(good, "archive-v1", "archive-v2", 1),
		"unknown field": strings.Replace(good, `"how"`, `"x":1,"how"`, 1),
		"white space":   strings.Replace(good, `,"how"`, `, "how"`, 1),
		"goes on":       good + "{}",
		"another way":   strings.Replace(good, `"retired"`, `"lost"`, 1),
		"path":          strings.Replace(good, "metadata/1.root.json", "metadata/../1.root.json", 1),
		"foreign path":  strings.Replace(good, "metadata/1.root.json", "etc/passwd", 1),
		"no build":      strings.Replace(good, `"build":41`, `"build":0`, 1),
		"product":       strings.Replace(good, `"phone"`, `"../phone"`, 1),
		"empty file":    strings.Replace(good, `"e30="`, `""`, 1),
	} {
		if bad == good {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := archive.Parse([]byte(bad)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte(`{"spec":"candor-archive-v1","live":{"metadata/x":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := archive.Parse(data)
		if err != nil {
			return
		}
		if again, err := a.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatal("an archive was taken that has another form")
		}
	})
}
