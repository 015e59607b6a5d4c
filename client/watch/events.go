package watch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Bounds of what a server may say, in bytes.
const (
	maxLine  = 512
	maxEvent = 2 << 10 // lines up to an empty one
)

// ErrMalformed is a stream that is not what the contract says.
var ErrMalformed = errors.New("not a stream of events")

// event is a message, or what it asked for.
type event struct {
	version uint64        // where the product stands; 0: it does not say
	retry   time.Duration // come back no sooner; 0: it does not say
}

// events reads server-sent events (WHATWG HTML, section 9.2) with lines that
// end in LF or CRLF.
type events struct{ r *bufio.Reader }

func newEvents(r io.Reader) *events { return &events{bufio.NewReaderSize(r, maxLine)} }

// next gives the next event that says something. Comments and names that are
// not known are passed over.
func (e *events) next() (event, error) {
	var out event
	var name, data []byte
	size := 0
	for {
		line, err := e.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return out, fmt.Errorf("%w: a line of more than %d bytes", ErrMalformed, maxLine)
		}
		if err != nil {
			return out, err
		}
		if size += len(line); size > maxEvent {
			return out, fmt.Errorf("%w: an event of more than %d bytes", ErrMalformed, maxEvent)
		}
		line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if string(name) == "head" {
				if out.version, err = number(data); err != nil {
					return out, err
				}
			}
			if out != (event{}) {
				return out, nil
			}
			name, data, size = nil, nil, 0
		case string(field) == "event":
			name = bytes.Clone(value)
		case string(field) == "data":
			data = bytes.Clone(value)
		case string(field) == "retry":
			ms, err := number(value)
			if err != nil {
				return out, err
			}
			out.retry = time.Duration(min(ms, uint64(longest.Milliseconds()))) * time.Millisecond
		}
	}
}

// number is a decimal one above 0.
func number(text []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: %.32q is not a number", ErrMalformed, text)
	}
	return n, nil
}
