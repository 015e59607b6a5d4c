package patch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
)

func TestTableReadsBackAsWritten(t *testing.T) {
	want, _, _ := one(t)
	got, err := Parse(encode(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("reads back differently:\n%+v\n%+v", got, want)
	}
}

// A handset holds all rows of the largest table beside what it decodes with.
func TestRowsStayCompact(t *testing.T) {
	if size := unsafe.Sizeof(Row{}); size > 100 {
		t.Errorf("a row takes %d bytes of memory", size)
	}
}

// rowAt gives where row i begins in the file.
func rowAt(table *Table, i int) int {
	at := headerBytes
	for _, r := range table.Rows[:i] {
		at += r.Kind.fileBytes()
	}
	return at
}

// One case for each rule: with the rule removed, the case is accepted.
func TestHostileTableRefused(t *testing.T) {
	table, _, _ := one(t)
	good := encode(t, table)
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b }
	}
	put64 := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], v); return b }
	}
	zeros, plain, patched, last := rowAt(table, 1), rowAt(table, 2), rowAt(table, 4), rowAt(table, 5)
	rows, old := uint32(len(table.Rows)), uint64(table.FromSize)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"empty":                        {func([]byte) []byte { return nil }, "header: 0 bytes"},
		"enormous":                     {func([]byte) []byte { return make([]byte, MaxTableBytes+1) }, "length:"},
		"truncated":                    {func(b []byte) []byte { return b[:len(b)-1] }, "ends within the row"},
		"truncated between rows":       {func(b []byte) []byte { return b[:last] }, "row 5: length: the file ends here"},
		"trailing":                     {func(b []byte) []byte { return append(b, 0) }, "1 bytes follow"},
		"trailing beyond any rows":     {func(b []byte) []byte { return append(b, make([]byte, 1000)...) }, "of them take"},
		"magic":                        {func(b []byte) []byte { b[0]++; return b }, "magic:"},
		"version":                      {put32(8, 2), "version: 2"},
		"old image empty":              {put64(12, 0), "old image size:"},
		"old image enormous":           {put64(12, image.MaxImageBytes+1), "old image size:"},
		"old image negative":           {put64(12, 1<<63), "old image size:"},
		"old image smaller":            {put64(12, old-1), "row 5: source:"},
		"old image smaller than a row": {put64(12, 5), "row 0: source:"},
		"new image empty":              {put64(52, 0), "new image size:"},
		"new image enormous":           {put64(52, image.MaxImageBytes+1), "new image size:"},
		"new image larger":             {put64(52, uint64(table.Size)+1), "new image size:"},
		"new image smaller":            {put64(52, uint64(table.Size)-1), "row 5: length: the rows exceed"},
		"body empty":                   {put64(92, 0), "it must be from 1"},
		"body beyond the image":        {put64(92, uint64(table.Size)+1), "it must be from 1"},
		"body larger":                  {put64(92, uint64(table.BodySize)+1), "body size:"},
		"body smaller":                 {put64(92, uint64(table.BodySize)-1), "packed length: the rows exceed"},
		"no rows":                      {put32(132, 0), "rows:"},
		"more rows than the image has": {put32(132, uint32(table.Size/MinRowBytes)+2), "rows:"},
		"more rows than the file has":  {put32(132, 250), "of them take"},
		"too few rows for the image":   {put32(132, 1), "rows: 1"},
		"one row less":                 {put32(132, rows-1), "follow the last row"},
		"one row more":                 {put32(132, rows+1), "row 5: length:"},
		"copy of nothing":              {put32(headerBytes, 0), "row 0: length:"},
		"copy too short":               {put32(headerBytes, MinRowBytes-1), "row 0: length:"},
		"copy too long":                {put32(headerBytes, MaxRowBytes+1), "row 0: length:"},
		"copy from beyond":             {put64(headerBytes+4, old), "row 0: source:"},
		"copy across the end":          {put64(headerBytes+4, old-1), "row 0: source:"},
		"copy offset overflows":        {put64(headerBytes+4, 1<<64-1), "row 0: source:"},
		"zeros too long":               {put32(zeros, 1<<kindShift|(MaxRowBytes+1)), "row 1: length:"},
		"zeros of nothing":             {put32(zeros, 1<<kindShift), "row 1: length:"},
		"plain packed to nothing":      {put32(plain+4, 0), "row 2: packed length:"},
		"plain packed beyond itself":   {put32(plain+4, 50<<10+1), "row 2: packed length:"},
		"packed length overflows":      {put32(plain+4, 1<<32-1), "row 2: packed length:"},
		"packed sum differs":           {put32(plain+4, uint32(table.Rows[2].PackedLength)-1), "body size:"},
		"patched packed to nothing":    {put32(patched+4, 0), "row 4: packed length:"},
		"patched without gain":         {put32(patched+4, 60<<10), "row 4: packed length:"},
		"window of nothing":            {put32(patched+16, 0), "row 4: window:"},
		"window too wide":              {put32(patched+16, MaxWindowBytes+1), "row 4: window:"},
		"window outside the old image": {put64(patched+8, old), "row 4: source:"},
		"window across the end":        {put64(patched+8, old-80<<10+1), "row 4: source:"},
		"window overflows":             {put64(patched+8, 1<<64-1), "row 4: source:"},
		"last row of nothing":          {put32(last, 0), "row 5: length:"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.change(bytes.Clone(good)), c.want) })
	}
}

func refused(t *testing.T, b []byte, want string) {
	t.Helper()
	_, err := Parse(b)
	var field *FieldError
	if !errors.As(err, &field) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

// A header that promises rows must not cost memory before they are there.
func TestClaimedRowsCostNoMemory(t *testing.T) {
	claim := (&Table{FromSize: 1, Size: image.MaxImageBytes, BodySize: 1}).appendHeader(nil)
	binary.BigEndian.PutUint32(claim[132:], MaxRows)
	if bytes := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(claim); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp(); bytes > 1<<10 {
		t.Errorf("%d bytes were allocated", bytes)
	}
}

func TestTableOfAnotherPatchRefused(t *testing.T) {
	table, _, _ := one(t)
	m := manifests.Image{Size: table.Size, SHA256: table.SHA256}
	p := manifests.Patch{FromSHA256: table.FromSHA256, BodySize: table.BodySize}
	if err := table.CheckSigned(m, p); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*manifests.Image, *manifests.Patch){
		"old image":  func(_ *manifests.Image, p *manifests.Patch) { p.FromSHA256[0]++ },
		"new image":  func(m *manifests.Image, _ *manifests.Patch) { m.SHA256[0]++ },
		"new image:": func(m *manifests.Image, _ *manifests.Patch) { m.Size++ },
		"body size":  func(_ *manifests.Image, p *manifests.Patch) { p.BodySize++ },
	} {
		m, p := m, p
		change(&m, &p)
		if err := table.CheckSigned(m, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	table, _, _ := one(t)
	table.Rows[0].Kind = 4
	if _, err := table.MarshalBinary(); err == nil {
		t.Error("unknown kind: written")
	}
	table, _, _ = one(t)
	table.Rows = slices.Repeat(table.Rows, MaxRows)
	if _, err := table.MarshalBinary(); err == nil {
		t.Error("too many rows: written")
	}
}

func FuzzParse(f *testing.F) {
	table, _, _ := one(f)
	f.Add(encode(f, table))
	f.Add(encode(f, table)[:headerBytes])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := Parse(b)
		if err != nil {
			return
		}
		again, err := table.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("an accepted table writes back differently: %v", err)
		}
	})
}
