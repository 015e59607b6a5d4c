package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

// How long a connection may be silent before it is given up, so that a network
// that is gone, or a machine that froze, is noticed by both sides.
const (
	connectTime = 5 * time.Second
	silence     = 8 * time.Second
)

// session is asked of the engine for each connection. Milliseconds.
var session = map[string]string{
	"application_name": "candor-server",
	// A replica that froze in a transaction loses it, and its locks.
	"idle_in_transaction_session_timeout": "5000",
	// Longer than that: whoever waits behind it gets its turn.
	"lock_timeout":            "10000",
	"tcp_keepalives_idle":     "5",
	"tcp_keepalives_interval": "1",
	"tcp_keepalives_count":    "3",
	"tcp_user_timeout":        "8000",
}

// ErrPassword means that a URL holds a password, which would end up in
// configuration, backups and process lists.
var ErrPassword = errors.New("holds a password")

var passwordWord = regexp.MustCompile(`(?i)\bpassword\s*=`)

// CheckURL refuses what Config.URL cannot be, and a password in it.
func CheckURL(text string) error {
	if text == "" {
		return errors.New("is empty; give postgres://user@host:5432/database?sslmode=verify-full")
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return ErrPassword
		}
	}
	if passwordWord.MatchString(text) {
		return ErrPassword
	}
	_, err := pgx.ParseConfig(text)
	return err
}

// connection says how to connect. Its errors name no password.
func connection(c Config) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Password != "" {
		config.Password = c.Password
	}
	for name, value := range session {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.ConnectTimeout = connectTime
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: time.Second, Count: 3},
		Control:         giveUp,
	}
	config.DialFunc = dialer.DialContext
	return config, nil
}

// renew gives a connection that is about to be made the password of now.
func (c Config) renew(_ context.Context, config *pgx.ConnConfig) error {
	if c.ReadPassword == nil {
		return nil
	}
	password, err := c.ReadPassword()
	if err == nil {
		config.Password = password
	}
	return err
}

// giveUp bounds how long sent bytes may stay unanswered.
func giveUp(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var set error
	err := raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return set
}

// weak lists what makes an engine lose acknowledged writes.
var weak = []struct {
	setting string
	safe    []string
	word    string
}{
	{"synchronous_commit", []string{"on", "remote_apply"}, "a commit would be acknowledged before it is on disk, and with standbys before it is on theirs"},
	{"fsync", []string{"on"}, "nothing would ever be forced to disk"},
	{"full_page_writes", []string{"on"}, "a power cut could tear pages"},
}

// checkDurable refuses a connection over which an acknowledged write could be
// lost. What an engine does not know as a setting, it has no way to turn off.
func checkDurable(ctx context.Context, conn *pgx.Conn) error {
	for _, w := range weak {
		var value *string
		if err := conn.QueryRow(ctx, `SELECT current_setting($1, true)`, w.setting).Scan(&value); err != nil {
			return err
		}
		if value == nil {
			continue
		}
		fine := false
		for _, safe := range w.safe {
			fine = fine || *value == safe
		}
		if !fine {
			return fmt.Errorf("%w: %s is %s, so %s; set it to %s", errWeak, w.setting, *value, w.word, w.safe[0])
		}
	}
	return nil
}
