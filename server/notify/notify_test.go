package notify

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listen(t *testing.T) (string, func() string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return name, func() string {
		t.Helper()
		buffer := make([]byte, 256)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func environment(list map[string]string) Manager {
	return FromEnvironment(func(name string) string { return list[name] }, 7)
}

func TestManagerIsTold(t *testing.T) {
	name, heard := listen(t)
	m := environment(map[string]string{"NOTIFY_SOCKET": name})
	if err := m.Ready(); err != nil || !strings.HasPrefix(heard(), "READY=1\n") {
		t.Errorf("%v", err)
	}
	if err := m.Stopping(); err != nil || !strings.HasPrefix(heard(), "STOPPING=1\n") {
		t.Errorf("%v", err)
	}
	m.Watch(t.Context(), func(context.Context) error { panic("nobody watches") })
	for _, list := range []map[string]string{{}, {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "8"}} {
		m := environment(list)
		if m.watchdog != 0 {
			t.Errorf("%v: is watched", list)
		}
	}
	if err := environment(nil).Ready(); err != nil {
		t.Error(err)
	}
	if err := environment(map[string]string{"NOTIFY_SOCKET": name + "x"}).Ready(); err == nil {
		t.Error("a manager that cannot be told is no error")
	}
}

func TestServerThatDoesNotAnswerIsNotSaidToBeAlive(t *testing.T) {
	name, heard := listen(t)
	m := environment(map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": "7"})
	ctx, cancel := context.WithCancel(t.Context())
	looks, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		m.Watch(ctx, func(context.Context) error {
			if looks++; looks > 2 {
				cancel()
			}
			if looks == 1 {
				return errors.New("no answer")
			}
			return nil
		})
	}()
	for looks := 0; looks < 2; looks++ {
		if got := heard(); got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	}
	<-done
	if looks != 3 {
		t.Errorf("%d looks, of which the first was no answer, and 2 pings", looks)
	}
}
