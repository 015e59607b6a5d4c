package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Agent is whom the owner talks to. It is safe for concurrent use.
type Agent interface {
	// Newest gives the newest report, at once.
	Newest() Report
	// Do carries out everything else, and returns when what it changes is
	// durable. The preview is that of Look, else nil.
	Do(ctx context.Context, r Request) (*Preview, error)
	// Events gives what happens from now on. The channel is closed when the
	// reader is too slow, and after end, which must be called.
	Events() (events <-chan Event, end func())
}

const (
	maxConnections = 8
	silence        = time.Minute      // between two requests of a connection
	patience       = 10 * time.Second // to write a line
)

// Server answers on a socket.
type Server struct {
	agent    Agent
	log      *slog.Logger
	listener *net.UnixListener
	ctx      context.Context // ends with the server
	cancel   context.CancelFunc
	busy     chan struct{} // a place for each connection
	running  sync.WaitGroup
	mayTalk  func(*net.UnixConn) error
}

// Listen serves on the socket at path, replacing one that a process left behind.
// The caller must hold the lock of the handset: two servers would take each
// other's socket away.
func Listen(path string, a Agent, log *slog.Logger) (*Server, error) {
	return listen(path, &Server{agent: a, log: log, mayTalk: ownerOnly})
}

func listen(path string, s *Server) (*Server, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("status socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("status socket: %s is there and no socket; remove it or name another path", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("status socket: %w", err)
		}
	}
	var err error
	s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("status socket: %w", err), s.listener.Close())
	}
	s.busy = make(chan struct{}, maxConnections)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.accept)
	return s, nil
}

// Close ends all connections and removes the socket. Replies that are due are
// still written.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.running.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.AcceptUnix()
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Warn("the status socket is closed", "reason", err)
			}
			return
		}
		s.running.Go(func() { s.serve(c) })
	}
}

// serve is one connection from its beginning to its end.
func (s *Server) serve(c *net.UnixConn) {
	stop := context.AfterFunc(s.ctx, func() { s.hurry(c) })
	defer stop()
	err := s.talk(c)
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() == nil {
		s.log.Info("a connection to the status socket ended", "reason", err)
	}
}

// hurry ends waits for requests; what is being written may still be.
func (s *Server) hurry(c *net.UnixConn) {
	if err := c.SetReadDeadline(time.Now()); err != nil {
		s.log.Info("a connection to the status socket ended", "reason", err)
	}
}

func (s *Server) talk(c *net.UnixConn) error {
	if err := s.mayTalk(c); err != nil {
		return err
	}
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		return write(c, Reply{Error: fmt.Sprintf("%d programs talk to the agent already", maxConnections)})
	}
	lines := bufio.NewReaderSize(c, MaxLine)
	for s.ctx.Err() == nil {
		if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		if s.ctx.Err() != nil { // it may have been hurried just before
			return nil
		}
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return errors.Join(err, write(c, Reply{Error: fmt.Sprintf("a line has more than %d bytes", MaxLine)}))
		case err != nil:
			return err
		}
		if err := s.answer(c, line); err != nil {
			return err
		}
	}
	return nil
}

// answer replies to one request.
func (s *Server) answer(c *net.UnixConn, line []byte) error {
	r, err := ParseRequest(line)
	if err != nil {
		return write(c, Reply{Error: err.Error()})
	}
	switch r.Do {
	case ShowStatus:
		return write(c, s.fine())
	case Watch:
		return s.watch(c)
	}
	preview, err := s.agent.Do(s.ctx, r)
	if err != nil {
		return write(c, Reply{Error: err.Error()})
	}
	reply := s.fine()
	reply.Preview = preview
	return write(c, reply)
}

func (s *Server) fine() Reply {
	r := s.agent.Newest()
	return Reply{OK: true, Report: &r}
}

var errSlow = errors.New("it does not read what it asked to watch")

// watch sends events until either side has had enough. Whatever the other side
// sends ends it too.
func (s *Server) watch(c *net.UnixConn) error {
	events, end := s.agent.Events()
	defer end()
	if err := write(c, s.fine()); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	gone := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		gone <- err
	}()
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case err := <-gone:
			return err
		case e, ok := <-events:
			if !ok {
				return errSlow
			}
			if err := write(c, e); err != nil {
				return err
			}
		}
	}
}

func write(c *net.UnixConn, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("status socket: %w", err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = c.Write(append(data, '\n'))
	return err
}

// ownerOnly lets the user speak as whom the agent runs, and root. The kernel
// says who connected.
func ownerOnly(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failure error
	if err := raw.Control(func(fd uintptr) {
		peer, failure = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("who connected: %w", failure)
	}
	return mayTalk(peer.Uid, uint32(os.Geteuid()))
}

var errStranger = errors.New("another user knocked at the status socket, and was not heard")

func mayTalk(peer, own uint32) error {
	if peer != own && peer != 0 {
		return fmt.Errorf("%w (uid %d)", errStranger, peer)
	}
	return nil
}
