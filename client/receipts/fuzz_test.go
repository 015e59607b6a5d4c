package receipts_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/candor-ota/candor/client/receipts"
)

// Whatever stands in the file: what is taken is chained and comes out again to
// the letter, and the rest is damage or one unfinished line.
func FuzzParse(f *testing.F) {
	l, path := newLog(f)
	l.Small(6, 1<<20)
	for i := range 9 {
		add(f, l, wish(i))
	}
	add(f, l, receipts.Entry{Kind: receipts.VoteSent, Build: 42, Sent: `{"v":1}`, Consent: &receipts.Consent{Choice: "accepted"}})
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(bytes.Replace(whole, []byte(`"seq"`), []byte(`"Seq"`), 1))
	f.Add(append(bytes.Clone(whole), whole...))
	f.Add([]byte("\n\n"))
	f.Add([]byte(`{"dropped":{"damaged":true,"hash":"x","through":0}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := receipts.Parse(data)
		if err != nil && !errors.Is(err, receipts.ErrDamaged) {
			t.Fatal(err)
		}
		var out []byte
		for i := range c.Entries {
			line, err := receipts.Line(&c.Entries[i])
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, line...)
			if c.Entries[i].String() == "" {
				t.Fatal("an entry without words")
			}
		}
		if !bytes.HasPrefix(data, out) || err == nil && len(out)+c.Unfinished != len(data) {
			t.Fatalf("%d of %d bytes taken, %d unfinished, %v", len(out), len(data), c.Unfinished, err)
		}
	})
}
