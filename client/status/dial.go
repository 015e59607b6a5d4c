package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"syscall"
)

// ErrNoAgent says that no agent runs that could be asked.
var ErrNoAgent = errors.New("no agent runs on this handset")

// maxReply bounds a line of the agent, in bytes.
const maxReply = 1 << 20

// Conn is a connection to an agent that runs. Not for concurrent use.
type Conn struct {
	c      net.Conn
	lines  *bufio.Scanner
	once   sync.Once
	closed error
}

// Dial connects to the agent at path; ErrNoAgent if there is none.
func Dial(ctx context.Context, path string) (*Conn, error) {
	c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "unix", path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EINVAL) {
			return nil, fmt.Errorf("%w: %w", ErrNoAgent, err)
		}
		return nil, fmt.Errorf("status socket: %w", err)
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxReply)
	return &Conn{c: c, lines: lines}, nil
}

// Close hangs up.
func (c *Conn) Close() error {
	c.hangUp()
	return c.closed
}

func (c *Conn) hangUp() { c.once.Do(func() { c.closed = c.c.Close() }) }

// Ask sends a request and waits for its reply, as long as the agent takes, or
// until the context ends. What the agent refused is an error.
func (c *Conn) Ask(ctx context.Context, r Request) (Report, error) {
	reply, err := c.exchange(ctx, r)
	if err == nil && reply.Report == nil {
		err = errors.New("status socket: a reply without a report")
	}
	if err != nil {
		return Report{}, err
	}
	return *reply.Report, nil
}

// Look asks what installing a bundle would do.
func (c *Conn) Look(ctx context.Context, bundle string) (Preview, error) {
	reply, err := c.exchange(ctx, Request{Do: Look, Bundle: bundle})
	if err == nil && reply.Preview == nil {
		err = errors.New("status socket: a reply without a preview")
	}
	if err != nil {
		return Preview{}, err
	}
	return *reply.Preview, nil
}

func (c *Conn) exchange(ctx context.Context, r Request) (reply Reply, err error) {
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	data, err := json.Marshal(r)
	if err != nil {
		return reply, fmt.Errorf("status socket: %w", err)
	}
	if _, err := c.c.Write(append(data, '\n')); err != nil {
		return reply, fmt.Errorf("status socket: %w", err)
	}
	if err := c.read(ctx, &reply); err != nil {
		return reply, err
	}
	if !reply.OK {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

// Watch gives the report of now, and then has each event told until the agent
// ends, the context does, or told returns an error.
func (c *Conn) Watch(ctx context.Context, told func(Event) error) error {
	r, err := c.Ask(ctx, Request{Do: Watch})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	for e := r.Event(); ; e = (Event{}) {
		if e.Event == "" {
			if err := c.read(ctx, &e); err != nil {
				return err
			}
		}
		if err := told(e); err != nil {
			return err
		}
	}
}

// ErrEnded says that the agent hung up.
var ErrEnded = errors.New("the agent ended")

func (c *Conn) read(ctx context.Context, into any) error {
	if !c.lines.Scan() {
		switch err := c.lines.Err(); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("status socket: %w", err)
		}
		return ErrEnded
	}
	if err := json.Unmarshal(c.lines.Bytes(), into); err != nil {
		return fmt.Errorf("status socket: %w", err)
	}
	return nil
}
