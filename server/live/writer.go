package live

import (
	"errors"
	"net/http"
	"time"
)

// writer writes to one reader, who is given so long for each write.
type writer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// begin sends the head. The request's own deadlines are for answers that end.
func (o *writer) begin() error {
	if err := o.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	o.w.WriteHeader(http.StatusOK)
	return nil
}

// write sends everything, or fails within patience.
func (o *writer) write(data []byte) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(o.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := o.w.Write(data); err != nil {
		return err
	}
	return o.control.Flush()
}
