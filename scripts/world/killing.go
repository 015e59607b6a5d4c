package world

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"
)

// KillServer ends the server as a power cut would: at once, wherever it is.
// That it ended by itself before is an error.
func (w *World) KillServer() error {
	if w.server == nil {
		return fmt.Errorf("kill the server: it does not run")
	}
	return w.StopServer(syscall.SIGKILL)
}

// WaitReady waits until the server says that it is ready, asking every few
// milliseconds, for half a minute at most.
func (w *World) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get(w.Admin + "/readyz")
		if err == nil {
			if err := resp.Body.Close(); err != nil {
				return err
			}
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			log, err := os.ReadFile(w.Path("server.log"))
			if err != nil {
				return err
			}
			return fmt.Errorf("the server does not get ready: %w; its log ends with:\n%s", ctx.Err(), log[max(0, len(log)-4000):])
		case <-tick.C:
		}
	}
}
