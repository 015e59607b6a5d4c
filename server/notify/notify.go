// Package notify tells a service manager how the server is: systemd's
// notification protocol (sd_notify(3)), datagrams of NAME=VALUE lines to the
// socket that NOTIFY_SOCKET names. Without one nothing is told. A manager that
// cannot be told is an error of Ready alone: there a start would hang.
package notify

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Manager is who is told. The zero value is nobody.
type Manager struct {
	socket   string
	watchdog time.Duration // within which it wants to hear something; 0: it does not
}

// FromEnvironment reads what the manager has set; get is os.Getenv, pid this
// process.
func FromEnvironment(get func(string) string, pid int) Manager {
	m := Manager{socket: get("NOTIFY_SOCKET")}
	if of := get("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return m // it watches somebody else
	}
	if us, err := strconv.ParseInt(get("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		m.watchdog = time.Duration(us) * time.Microsecond
	}
	return m
}

func (m Manager) tell(text string) error {
	if m.socket == "" {
		return nil
	}
	name := m.socket
	if name[0] == '@' { // the abstract namespace
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	_, err = conn.Write([]byte(text))
	if closing := conn.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// Ready says that requests are answered from now on.
func (m Manager) Ready() error { return m.tell("READY=1\nSTATUS=serving") }

// Stopping says that the end has begun.
func (m Manager) Stopping() error { return m.tell("STOPPING=1\nSTATUS=ending what is under way") }

// Watch says again and again that the server is alive, as long as alive gives
// no error, until ctx ends. A manager that hears nothing starts it anew.
func (m Manager) Watch(ctx context.Context, alive func(context.Context) error) {
	if m.watchdog == 0 || m.socket == "" {
		return
	}
	tick := time.NewTicker(m.watchdog / 3)
	defer tick.Stop()
	for {
		look, done := context.WithTimeout(ctx, m.watchdog/3)
		if alive(look) == nil && m.tell("WATCHDOG=1") != nil {
			done()
			return // it has gone, and watches nothing
		}
		done()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
