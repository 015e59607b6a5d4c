package figure

import (
	"bytes"
	"strings"
	"testing"
)

func TestFiguresKnowTheirTargets(t *testing.T) {
	for _, c := range []struct {
		row Row
		met bool
	}{
		{AtLeast("a", 3, "x", 3), true},
		{AtLeast("a", 2.9, "x", 3), false},
		{AtMost("a", 3, "x", 3), true},
		{AtMost("a", 3.1, "x", 3), false},
		{Near("a", 10.4, "%", 10, 0.5), true},
		{Near("a", 9.4, "%", 10, 0.5), false},
	} {
		if *c.row.Met != c.met {
			t.Errorf("%v: met is %v", c.row, *c.row.Met)
		}
	}
}

func TestReportHasTheFormOfTheBenches(t *testing.T) {
	var b bytes.Buffer
	rows := []Row{AtMost("peak", 1.5, "ratio", 2), Of("rest", 7, "votes"), AtLeast("missed", 1, "votes", 2)}
	if err := (Report{Name: "fleet", Machine: "m", Rows: rows}).JSON(&b); err != nil {
		t.Fatal(err)
	}
	want := `{"name":"fleet","machine":"m","rows":[` +
		`{"measure":"peak","value":1.5,"unit":"ratio","target":"\u003c= 2","met":true},` +
		`{"measure":"rest","value":7,"unit":"votes"},` +
		`{"measure":"missed","value":1,"unit":"votes","target":"\u003e= 2","met":false}]}` + "\n"
	if b.String() != want {
		t.Errorf("got %s, want %s", b.String(), want)
	}
	b.Reset()
	if err := Table(&b, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if !strings.HasSuffix(lines[0], " met") || !strings.HasSuffix(lines[2], "NOT MET") || strings.Contains(lines[1], "met") {
		t.Errorf("the table is\n%s", b.String())
	}
}
