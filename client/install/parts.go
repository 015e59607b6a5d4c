package install

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/fetch"
)

// Blamer is a Source with several origins, *fetch.Client for one. Its bodies
// name theirs with Origin. It gives bytes from elsewhere after a Blame, and
// fetch.ErrNoMirror once no origin is left.
type Blamer interface{ Blame(origin string) }

func (o *Options) blame(origin string) {
	if b, ok := o.Source.(Blamer); ok {
		b.Blame(origin)
	}
}

func originOf(body io.Reader) string {
	if b, ok := body.(interface{ Origin() string }); ok {
		return b.Origin()
	}
	return ""
}

// What may wait unread in the system's buffers, of all connections together: it
// is lost when the process dies. More would be faster on long ways.
const windowBytes = 448 << 10

// parts reads parts of a blob, one after the other. The next few are asked for
// while one is read; their bytes wait in the system's buffers, nowhere else.
type parts struct {
	ctx    context.Context
	cancel context.CancelFunc
	source Source
	blob   blob
	window int
	todo   []Span
	coming []chan part // asked for
	now    part
	at     int64 // of now: the byte that is read next
	count  *counter
}

type part struct {
	Span
	body io.ReadCloser
	err  error
}

func newParts(ctx context.Context, source Source, b blob, spans []Span, count *counter) *parts {
	ctx, cancel := context.WithCancel(ctx)
	p := &parts{ctx: ctx, cancel: cancel, source: source, blob: b, todo: spans, count: count}
	p.window = windowBytes / max(1, min(len(spans), rangesAtATime))
	p.ask()
	return p
}

// ask keeps as many requests in flight as may be.
func (p *parts) ask() {
	busy := len(p.coming)
	if p.now.body != nil {
		busy++
	}
	for ; busy < rangesAtATime && len(p.todo) > 0; busy++ {
		s, answer := p.todo[0], make(chan part, 1)
		p.todo, p.coming = p.todo[1:], append(p.coming, answer)
		go func() {
			body, err := p.source.OpenRange(p.ctx, fetch.Range{Path: p.blob.path, From: s.From, To: s.To, Size: p.blob.size, Window: p.window})
			answer <- part{s, body, err}
		}()
	}
}

// fill reads the bytes of the blob at a position, which grows from call to
// call, and tells who sent them.
func (p *parts) fill(b []byte, position int64) (sender string, err error) {
	for p.now.body == nil || position >= p.now.To {
		if err := p.next(); err != nil {
			return "", err
		}
	}
	if skip := position - p.at; skip > 0 {
		n, err := io.CopyN(io.Discard, p.now.body, skip)
		p.came(n)
		if err != nil {
			return "", short(err)
		}
	}
	n, err := io.ReadFull(p.now.body, b)
	p.came(int64(n))
	return originOf(p.now.body), short(err)
}

func (p *parts) came(n int64) {
	p.at += n
	p.count.Add(n)
}

// short says of an end that it came too early.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *parts) next() error {
	if err := p.done(); err != nil {
		return err
	}
	if len(p.coming) == 0 {
		return fmt.Errorf("nothing more was asked for: %w", io.ErrUnexpectedEOF)
	}
	p.now = <-p.coming[0]
	p.coming, p.at = p.coming[1:], p.now.From
	if p.now.err != nil {
		return p.now.err
	}
	p.ask()
	return nil
}

func (p *parts) done() error {
	if p.now.body == nil {
		return nil
	}
	body := p.now.body
	p.now = part{}
	return body.Close()
}

// Close ends all transfers. Those that nobody reads any more cannot fail in a
// way that matters.
func (p *parts) Close() error {
	p.cancel()
	err := p.done()
	for _, c := range p.coming {
		if other := <-c; other.body != nil {
			err = errors.Join(err, other.body.Close())
		}
	}
	return err
}
