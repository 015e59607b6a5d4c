package watch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// Whatever comes, reading ends, and what is read was said.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		"retry: 15000\n\nevent: head\ndata: 57\n\n:\n\nevent: head\ndata: 58\n\n",
		"event:head\r\ndata:18446744073709551615\r\n\r\n",
		"event: head\n\n", "event: head\ndata: -1\n\n", "event: head\ndata: 0x1\n\n", "data: 5\n\n",
		"retry: 99999999999999999999\n\n", "retry: 1\nevent: head\ndata: 1\ndata: 2\n\n",
		strings.Repeat("a", 2*maxLine), strings.Repeat(":\n", maxEvent), "\n\n\n\x00\xff\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := newEvents(bytes.NewReader(data))
		for {
			got, err := e.next()
			if err != nil {
				if !errors.Is(err, ErrMalformed) && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				return
			}
			if got == (event{}) || got.retry < 0 || got.retry > longest {
				t.Fatalf("%+v", got)
			}
			if got.version > 0 && !bytes.Contains(data, []byte("head")) {
				t.Fatalf("%+v was never said", got)
			}
		}
	})
}

func TestBoundsOfLinesAndEventsHold(t *testing.T) {
	for name, text := range map[string]string{
		"a long line":  "event: head\ndata: 1\n\n:" + strings.Repeat("x", maxLine) + "\n\n",
		"a long event": "event: head\ndata: 1\n\n" + strings.Repeat(":"+strings.Repeat("x", 100)+"\n", maxEvent/50) + "\n",
	} {
		e := newEvents(strings.NewReader(text))
		if got, err := e.next(); err != nil || got.version != 1 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if _, err := e.next(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
