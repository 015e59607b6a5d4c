package api

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// metered counts the bytes of a body on their way, and leaves sendfile as it
// is.
type metered struct {
	http.ResponseWriter
	sent uint64
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	m.sent += uint64(n)
	return n, err
}

// ReadFrom is what io.Copy asks for: the writer below may take a file from it
// without reading it.
func (m *metered) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(m.ResponseWriter, r)
	m.sent += uint64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (m *metered) Unwrap() http.ResponseWriter { return m.ResponseWriter }

var bytesDesc = prometheus.NewDesc("candor_blob_bytes_total", "Bytes of images sent from here.", nil, nil)
