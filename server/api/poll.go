package api

import (
	"net/http"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/poll"
)

// Poll answers as ServeHTTP does, for what is in the published tree, or is
// asked for before it is (absent). It makes an API one of poll's Files.
func (a *API) Poll(r *poll.Request, head []byte) (answer, body []byte, ok bool) {
	tree := a.static.tree()
	if tree == nil {
		return head, nil, false
	}
	f := tree.File(string(r.Path[1:]))
	if f == nil {
		return a.static.pollAbsent(r, head)
	}
	form, status := a.static.form(f, one(r.Accept), one(r.Match))
	if status == http.StatusOK {
		head, body = append(head, "HTTP/1.1 200 OK\r\n"...), form.Body
	} else {
		head = append(head, "HTTP/1.1 304 Not Modified\r\n"...)
	}
	for _, one := range fields(f, form, status) {
		if one.value == nil {
			continue
		}
		head = append(append(head, one.name...), ": "...)
		head = append(append(head, one.value[0]...), "\r\n"...)
	}
	return head, body, true
}

// one is the values of a header that has come once, or not at all.
func one(value []byte) []string {
	switch string(value) {
	case "":
		return nil
	case "gzip":
		return gzipOnly
	case "identity":
		return nil // what is asked for without a word
	}
	return []string{string(value)}
}

var gzipOnly = []string{"gzip"}

// absentBody is http.NotFound's.
var absentBody = []byte("404 page not found\n")

// absentHead is of a root that is not there yet: the only file that handsets
// ask for before it is.
var absentHead = "HTTP/1.1 404 Not Found\r\nCache-Control: " + revalidate[0] +
	"\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n"

func (s *static) pollAbsent(r *poll.Request, head []byte) (answer, body []byte, ok bool) {
	if !layout.IsRootFile(string(r.Path[1:])) {
		return head, nil, false
	}
	s.counts.missing.add()
	return append(head, absentHead...), absentBody, true
}

// PollTimes are how long connections are waited for that poll serves: as long
// as NewServer waits.
func PollTimes() poll.Times {
	s := NewServer(nil)
	return poll.Times{First: s.ReadHeaderTimeout, Idle: s.IdleTimeout, Write: func(size int) time.Time { return patience(int64(size)) }}
}
