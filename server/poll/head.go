package poll

import "bytes"

// Request is a GET without a body. Its slices are not to be kept.
type Request struct {
	Path []byte // with its slash; letters, digits and ./_- only
	// Accept and Match are the values of Accept-Encoding and If-None-Match; nil
	// where a header is missing.
	Accept, Match []byte
}

var (
	method   = []byte("GET ")
	protocol = []byte(" HTTP/1.1")
)

// parse reads the head that data begins with, and tells how long it is. It
// understands only what leaves no question how anybody else would read it; ok
// is false for all else, and for a head that has not come whole.
func parse(data []byte) (r Request, size int, ok bool) {
	line, size, ok := cutLine(data)
	if !ok || !bytes.HasPrefix(line, method) || !bytes.HasSuffix(line, protocol) {
		return r, 0, false
	}
	if line = line[len(method):]; len(line) <= len(protocol) {
		return r, 0, false
	}
	r.Path = line[:len(line)-len(protocol)]
	if r.Path[0] != '/' || !all(r.Path, inPath) {
		return r, 0, false
	}
	host := false
	for {
		line, n, ok := cutLine(data[size:])
		if !ok {
			return r, 0, false
		}
		size += n
		switch {
		case len(line) == 0 && host:
			return r, size, true
		case len(line) == 0, !r.field(line, &host):
			return r, 0, false
		}
	}
}

// cutLine gives the line that data begins with, and its length with its end.
func cutLine(data []byte) (line []byte, n int, ok bool) {
	i := bytes.IndexByte(data, '\n')
	if i < 1 || data[i-1] != '\r' {
		return nil, 0, false
	}
	return data[:i-1], i + 1, true
}

// field reads one header field. It is false for one that is malformed, comes
// twice, or asks for more than a file: what changes where a request ends, or
// what becomes of the connection, most of all.
func (r *Request) field(line []byte, host *bool) bool {
	i := bytes.IndexByte(line, ':')
	if i < 1 || !all(line[:i], inName) {
		return false
	}
	name, value := line[:i], bytes.Trim(line[i+1:], " \t")
	if !all(value, inValue) {
		return false
	}
	switch len(name) {
	case len("TE"):
		return !is(name, "TE")
	case len("Host"):
		if is(name, "Host") {
			once := !*host
			*host = true
			return once && len(value) > 0 && all(value, inHost)
		}
	case len("Expect"):
		return !is(name, "Expect")
	case len("Upgrade"):
		return !is(name, "Upgrade") && !is(name, "Trailer")
	case len("Connection"):
		return !is(name, "Connection") || is(value, "keep-alive")
	case len("Candor-Fresh"):
		return !is(name, "Candor-Fresh")
	case len("If-None-Match"):
		return !is(name, "If-None-Match") || once(&r.Match, value)
	case len("Content-Length"):
		return !is(name, "Content-Length")
	case len("Accept-Encoding"):
		return !is(name, "Accept-Encoding") || once(&r.Accept, value)
	case len("Transfer-Encoding"):
		return !is(name, "Transfer-Encoding")
	}
	return true
}

// is compares without regard to case.
func is(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }

// once sets a value that has not come before.
func once(to *[]byte, value []byte) bool {
	if *to != nil || len(value) == 0 {
		return false
	}
	*to = value
	return true
}

// Bytes that are understood, by where they stand.
const (
	inPath = 1 << iota
	inHost
	inName
	inValue
)

var kinds = func() (t [256]uint8) {
	for c := range t {
		b := byte(c)
		alphanumeric := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
		add := func(kind uint8, more string) {
			if alphanumeric || bytes.IndexByte([]byte(more), b) >= 0 {
				t[c] |= kind
			}
		}
		add(inPath, "/._-")
		add(inHost, ".:-[]")
		add(inName, "!#$%&'*+-.^_`|~") // a token (RFC 9110, section 5.6.2)
		if b == '\t' || ' ' <= b && b <= '~' {
			t[c] |= inValue
		}
	}
	return t
}()

func all(b []byte, kind uint8) bool {
	for _, c := range b {
		if kinds[c]&kind == 0 {
			return false
		}
	}
	return true
}
