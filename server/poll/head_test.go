package poll

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const plain = "GET /metadata/timestamp.json HTTP/1.1\r\nHost: ota.example.org:443\r\n"

func TestHeadIsReadUpToItsEnd(t *testing.T) {
	head := plain + "user-agent: x/1 (é)\r\n"
	head = strings.Replace(head, "é", "~", 1)
	head += "ACCEPT-ENCODING: \t gzip, zstd;q=0.5 \r\nif-none-match:\"a\"\r\nConnection: Keep-Alive\r\nX-Empty:\r\n\r\n"
	r, size, ok := parse([]byte(head + "GET"))
	if !ok || size != len(head) {
		t.Fatalf("%v, %d of %d bytes", ok, size, len(head))
	}
	if string(r.Path) != "/metadata/timestamp.json" || string(r.Accept) != "gzip, zstd;q=0.5" || string(r.Match) != `"a"` {
		t.Errorf("%q, %q, %q", r.Path, r.Accept, r.Match)
	}
}

// What somebody could read in another way is nobody's poll.
func TestWhatLeavesAQuestionIsNotUnderstood(t *testing.T) {
	for _, head := range []string{
		"",
		"\r\n" + plain + "\r\n",
		plain, // the end has not come
		plain + "\r",
		strings.ReplaceAll(plain, "\r\n", "\n") + "\n",
		plain + "\n",
		plain + "X: a\nY: b\r\n\r\n",
		"HEAD" + plain[3:] + "\r\n",
		"get" + plain[3:] + "\r\n",
		"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a  HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.0\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1 \r\nHost: x\r\n\r\n",
		"GET HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%61 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\r\n\r\n", // no host
		"GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n",
		plain + "host: y\r\n\r\n",
		plain + "Host: ota.example.org:443\r\n\r\n",
		plain + " folded\r\n\r\n",
		plain + "X: a\r\n b\r\n\r\n",
		plain + "\tX: a\r\n\r\n",
		plain + "X : a\r\n\r\n",
		plain + ": a\r\n\r\n",
		plain + "X\r\n\r\n",
		plain + "X: a\x00b\r\n\r\n",
		plain + "X: a\rb\r\n\r\n",
		plain + "X: a\x7fb\r\n\r\n",
		plain + "X: \xc3\xa9\r\n\r\n",
		plain + "X\xc3\xa9: a\r\n\r\n",
		plain + "Content-Length: 0\r\n\r\n",
		plain + "content-length: 5\r\n\r\nhello",
		plain + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		plain + "Transfer-Encoding: identity\r\n\r\n",
		plain + "Connection: close\r\n\r\n",
		plain + "Connection: keep-alive, Upgrade\r\n\r\n",
		plain + "Upgrade: h2c\r\n\r\n",
		plain + "Trailer: X\r\n\r\n",
		plain + "TE: trailers\r\n\r\n",
		plain + "Expect: 100-continue\r\n\r\n",
		plain + "Candor-Fresh: 1\r\n\r\n",
		plain + "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n\r\n",
		plain + "Accept-Encoding: gzip\r\nAccept-Encoding: zstd\r\n\r\n",
		plain + "Accept-Encoding:\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		if r, size, ok := parse([]byte(head)); ok || size != 0 {
			t.Errorf("%q is understood: %q, %d bytes", head, r.Path, size)
		}
	}
}

// FuzzHead holds that what is understood is what net/http reads there: a GET of
// that path without a body, which ends where it says.
func FuzzHead(f *testing.F) {
	for _, more := range []string{"\r\n", "If-None-Match: \"a\"\r\n\r\n", "Accept-Encoding: gzip;q=0\r\n\r\nGET / HTTP/1.1\r\n", "X-Handset: 7\r\n\r\n", "Content-Length: 1\r\n\r\nx", "X: a\r\n b\r\n\r\n"} {
		f.Add([]byte(plain + more))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, size, ok := parse(data)
		if !ok {
			return
		}
		in := bytes.NewReader(data)
		buffered := bufio.NewReader(in)
		theirs, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("net/http does not understand %q: %v", data, err)
		}
		body, err := io.ReadAll(theirs.Body)
		if err != nil || len(body) > 0 || theirs.ContentLength != 0 || theirs.TransferEncoding != nil {
			t.Errorf("%q has a body: %q, %v", data, body, err)
		}
		if rest := in.Len() + buffered.Buffered(); len(data)-rest != size {
			t.Errorf("%q ends after %d bytes, not %d", data, len(data)-rest, size)
		}
		if theirs.Method != http.MethodGet || theirs.URL.Path != string(r.Path) || theirs.RequestURI != string(r.Path) || theirs.Close {
			t.Errorf("%q asks for %s %s", data, theirs.Method, theirs.URL)
		}
		for name, value := range map[string][]byte{"Accept-Encoding": r.Accept, "If-None-Match": r.Match} {
			if values := theirs.Header.Values(name); len(values) > 1 || len(values) == 1 && values[0] != string(value) || len(values) == 0 && value != nil {
				t.Errorf("%q: %s is %q, not %q", data, name, values, value)
			}
		}
	})
}

func TestDateIsThatOfTheSecond(t *testing.T) {
	at := time.Date(2026, time.November, 22, 23, 59, 59, 999, time.FixedZone("", 3600))
	for _, want := range []string{"Sun, 22 Nov 2026 22:59:59 GMT", "Sun, 22 Nov 2026 23:00:00 GMT"} {
		for range 2 {
			if got := string(dated([]byte("X\r\n"), at)); got != "X\r\nDate: "+want {
				t.Errorf("%q", got)
			}
		}
		at = at.Add(time.Second)
	}
}
