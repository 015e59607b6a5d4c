package fetch

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
)

// mirror is one base address and what is held against it.
type mirror struct {
	base      *url.URL
	copy      bool // not an origin
	strikes   atomic.Int32
	busyUntil atomic.Int64 // Unix nanoseconds; the server asked for it
}

// line is mirrors in the order in which they are asked.
type line struct {
	all  []*mirror
	best atomic.Int32 // the one to begin with
}

// usable gives those against which too little is held, from the best one on.
func (l *line) usable() (out []*mirror) {
	best := int(l.best.Load())
	for i := range l.all {
		if m := l.all[(best+i)%len(l.all)]; m.strikes.Load() < maxStrikes {
			out = append(out, m)
		}
	}
	return out
}

// prefer begins with a mirror from now on.
func (l *line) prefer(m *mirror) {
	for i, one := range l.all {
		if one == m {
			l.best.Store(int32(i))
		}
	}
}

// leave begins with the next one, if it began with this.
func (l *line) leave(m *mirror) {
	for i, one := range l.all {
		if one == m {
			l.best.CompareAndSwap(int32(i), int32((i+1)%len(l.all)))
		}
	}
}

// atMostMirrors are asked for one file before an origin is.
const atMostMirrors = 3

// isNew tells whether a file says what is new: the timestamp, and the next
// root, which is asked for before it exists. Any other file was named by one
// before it, with its hash.
func isNew(file string) bool {
	name := path.Base(file)
	return name == timestampName || strings.HasSuffix(name, rootSuffix)
}

const (
	timestampName = "timestamp.json"
	rootSuffix    = ".root.json"
)

// sources gives whom to ask for a file, in order.
func (c *Client) sources(file string) []*mirror {
	origins := c.origins.usable()
	if isNew(file) && !c.options.PollMirrors {
		return origins
	}
	mirrors := c.mirrors.usable()
	return append(mirrors[:min(len(mirrors), atMostMirrors):min(len(mirrors), atMostMirrors)], origins...)
}

func (c *Client) lineOf(m *mirror) *line {
	if m.copy {
		return &c.mirrors
	}
	return &c.origins
}

// failed notes what a mirror did not give. A copy that fails three times is
// left alone, as one that sends bad bytes is: the origin has it all.
func (c *Client) failed(m *mirror) {
	if m.copy {
		m.strikes.Add(1)
		c.lineOf(m).leave(m)
	}
}

// Blame counts bad bytes against a mirror, named as Origin names it, and turns
// to the next one. After three the mirror is not asked again until the next
// poll; see Forgive.
func (c *Client) Blame(origin string) {
	if m := c.named(origin); m != nil {
		m.strikes.Add(1)
		c.lineOf(m).leave(m)
	}
}

// Shun sets aside, until the next poll, the mirror that sent a file whose hash
// was signed, with other bytes. It does nothing and is false if nobody else
// may be asked for that file.
func (c *Client) Shun(file, origin string) bool {
	m := c.named(origin)
	for _, other := range c.sources(file) {
		if m != nil && other != m {
			m.strikes.Store(maxStrikes)
			c.lineOf(m).leave(m)
			return true
		}
	}
	return false
}

// Forgive clears what is held against mirrors, other than the rest that they
// asked for: a poll begins.
func (c *Client) Forgive() {
	for _, l := range []*line{&c.origins, &c.mirrors} {
		for _, m := range l.all {
			m.strikes.Store(0)
		}
	}
	c.mirrors.best.Store(0)
}

func (c *Client) named(origin string) *mirror {
	for _, l := range []*line{&c.origins, &c.mirrors} {
		for _, m := range l.all {
			if m.base.String() == origin {
				return m
			}
		}
	}
	return nil
}

// address joins base and path. Path may be escaped already; it never leads out
// of the base.
func (m *mirror) address(path string) (string, error) {
	for segment := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = segment
		}
		if plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "\\\x00") || strings.Contains(plain, "../") {
			return "", fmt.Errorf("path %q: segment %q is refused", path, segment)
		}
	}
	return m.base.JoinPath(path).String(), nil
}
