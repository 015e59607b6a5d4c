package api

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// metered counts the bytes of a body on their way. A file goes by sendfile,
// anything else in large pieces.
type metered struct {
	http.ResponseWriter
	sent uint64
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	m.sent += uint64(n)
	return n, err
}

// ReadFrom is what io.Copy asks for.
func (m *metered) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if _, file := l.R.(syscall.Conn); file {
			return m.file(r)
		}
	}
	return m.pieces(r)
}

// file lets the writer below take a file without reading it. The header goes
// first: else net/http reads the file's first bytes here, to send them with it.
func (m *metered) file(r io.Reader) (int64, error) {
	if err := unsupported(http.NewResponseController(m.ResponseWriter).Flush()); err != nil {
		return 0, err
	}
	n, err := io.Copy(m.ResponseWriter, r)
	m.sent += uint64(n)
	return n, err
}

// pieceSize is how much of a body is written at once: a few records of TLS,
// which come one by one.
const pieceSize = 128 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

func (m *metered) pieces(r io.Reader) (sent int64, err error) {
	buffer := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buffer)
	for err == nil {
		n, more := 0, 0
		for n < len(buffer) && err == nil {
			more, err = r.Read(buffer[n:])
			n += more
		}
		if n == 0 {
			break
		}
		written, failed := m.Write(buffer[:n])
		sent += int64(written)
		if failed != nil {
			return sent, failed
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return sent, err
}

// Unwrap is for http.ResponseController.
func (m *metered) Unwrap() http.ResponseWriter { return m.ResponseWriter }

var bytesDesc = prometheus.NewDesc("candor_blob_bytes_total", "Bytes of images sent from here.", nil, nil)
