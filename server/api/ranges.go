package api

import (
	"net/http"
	"strconv"
	"strings"
)

// expecter is a blob that is read over a network and wants to know beforehand
// how far: from each first byte to before the second.
type expecter interface {
	Expect(ranges [][2]int64)
}

// maxExpected bounds the ranges of one request that are announced.
const maxExpected = 64

// expect tells a blob which ranges a request will read. It is a hint: what
// http.ServeContent makes of the header decides, so that a range that is not
// understood here, or not honoured there, is read correctly all the same.
func expect(blob any, r *http.Request, size int64) {
	e, ok := blob.(expecter)
	list, found := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok || !found {
		return
	}
	var out [][2]int64
	for one := range strings.SplitSeq(list, ",") {
		if span, ok := rangeOf(strings.TrimSpace(one), size); ok {
			out = append(out, span)
		}
		if len(out) == maxExpected {
			break
		}
	}
	e.Expect(out)
}

// rangeOf reads "first-last", "first-" or "-suffix" (RFC 9110, section 14.1.2).
func rangeOf(text string, size int64) (span [2]int64, ok bool) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return span, false
	}
	n, err := strconv.ParseInt(last, 10, 64)
	switch {
	case last != "" && (err != nil || n < 0):
		return span, false
	case first == "":
		return [2]int64{max(0, size-n), size}, n > 0
	case last == "":
		n = size - 1
	}
	begin, err := strconv.ParseInt(first, 10, 64)
	return [2]int64{begin, min(n, size-1) + 1}, err == nil && begin >= 0 && begin <= n
}
