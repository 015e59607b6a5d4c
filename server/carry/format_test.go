package carry

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// A table that a migration adds is decided about: in a backup, or why not.
func TestEveryTableIsDecidedAbout(t *testing.T) {
	names := map[string]bool{}
	for _, table := range relational.Tables() {
		names[table.Name] = true
		if _, ok := why[table.Name]; !ok {
			t.Errorf("is table %s in a backup?", table.Name)
		}
	}
	for name := range why {
		if !names[name] {
			t.Errorf("there is no table %s", name)
		}
	}
}

func example(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b, Header{Made: manifests.At(time.Unix(1e9, 0).UTC()), Audit: "1:" + manifests.SHA256{1}.String()})
	if err == nil {
		err = w.table("products", []string{"name", "created_at"})
	}
	for _, name := range []string{"phone", ""} {
		if err == nil {
			err = w.row(relational.Row{name, int64(7)})
		}
	}
	if err == nil {
		err = w.table("tokens", []string{"hash", "x"})
	}
	if err == nil {
		err = w.row(relational.Row{[]byte{1, 2}, nil})
	}
	data := []byte("bytes")
	o := store.Object{Key: "metadata/1.root.json", Size: 5, SHA256: manifests.SumSHA256(data)}
	if err == nil {
		err = w.object(o, bytes.NewReader(data))
	}
	if err == nil {
		err = w.object(store.Object{Key: "empty", SHA256: manifests.SumSHA256(nil)}, strings.NewReader(""))
	}
	if err == nil {
		_, err = w.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	var got []string
	_, end, err := read(bytes.NewReader(example(t)), visitor{
		table: func(name string, columns []string) error {
			got = append(got, name+":"+strings.Join(columns, ","))
			return nil
		},
		row: func(r relational.Row) error {
			if len(r) != 2 || r[1] != int64(7) && r[1] != nil {
				t.Errorf("%v", r)
			}
			return nil
		},
		object: func(o store.Object, body io.Reader) error {
			data, err := io.ReadAll(body)
			got = append(got, o.Key+"="+string(data))
			return err
		},
	})
	if err != nil || end.Objects != 2 || end.Bytes != 5 || end.Tables[0].Rows != 2 || end.Tables[1].Rows != 1 {
		t.Errorf("%+v, %v", end, err)
	}
	if want := []string{"products:name,created_at", "tokens:hash,x", "metadata/1.root.json=bytes", "empty="}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Whoever wants the tables alone stops at the first object: all are before it.
func TestTableAfterAnObjectIsRefused(t *testing.T) {
	var b bytes.Buffer
	w, err := newWriter(&b, Header{Made: manifests.At(time.Unix(1e9, 0).UTC())})
	if err == nil {
		err = w.object(store.Object{Key: "empty", SHA256: manifests.SumSHA256(nil)}, strings.NewReader(""))
	}
	if err == nil {
		err = w.table("products", []string{"name", "created_at"})
	}
	if err == nil {
		_, err = w.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(&b, visitor{}); !errors.Is(err, ErrBackup) {
		t.Errorf("got %v", err)
	}
}

// A length is not believed before the bytes are there.
func TestClaimedLengthTakesNoMemory(t *testing.T) {
	whole := example(t)
	at := bytes.IndexByte(whole[len(magic)+5:], 'R') + len(magic) + 5
	for whole[at] != 'R' || whole[at+1] != 0 {
		at += 1 + bytes.IndexByte(whole[at+1:], 'R')
	}
	copy(whole[at+1:], []byte{3, 0xff, 0xff, 0xff}) // 64 MiB
	if n := testing.AllocsPerRun(1, func() {
		if _, _, err := read(bytes.NewReader(whole), visitor{}); err == nil {
			t.Error("it was read")
		}
	}); n > 1000 {
		t.Errorf("%v allocations", n)
	}
	copy(whole[at+1:], []byte{0xff, 0xff, 0xff, 0xff})
	if _, _, err := read(bytes.NewReader(whole), visitor{}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}

func FuzzBackup(f *testing.F) {
	whole := example(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(magic))
	f.Add([]byte(magic + "H\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var rows int64
		_, end, err := read(bytes.NewReader(data), visitor{row: func(r relational.Row) error {
			rows++
			b, err := appendRow(nil, r)
			if err != nil {
				t.Errorf("a row that was read cannot be written: %v", err)
			}
			if again, rest, err := readRow(b, len(r)); err != nil || len(rest) > 0 || len(again) != len(r) {
				t.Errorf("%v reads as %v, %v", r, again, err)
			}
			return nil
		}})
		if err != nil {
			return
		}
		for _, c := range end.Tables {
			rows -= c.Rows
		}
		if rows != 0 {
			t.Errorf("%d rows more than were counted", rows)
		}
	})
}
