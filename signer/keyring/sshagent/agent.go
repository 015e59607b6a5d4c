package sshagent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/candor-ota/candor/signer/keyring"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Kind is the name of this place in locator files.
const Kind = "ssh-agent"

// MaxPayload bounds what is handed to an agent. OpenSSH's takes no message over
// 256 KiB, and answers a longer one by closing the connection.
const MaxPayload = 255 << 10

// Backend reaches the agent of Socket, or of SSH_AUTH_SOCK if that is empty.
type Backend struct{ Socket string }

// Kind is "ssh-agent".
func (Backend) Kind() string { return Kind }

// Open finds one key. The only word of at is its fingerprint (SHA256:…) or its
// comment, or empty if the agent holds one usable key only.
func (b Backend) Open(ctx context.Context, at keyring.Location, _ keyring.Asker) (keyring.Held, error) {
	if len(at.Words) != 1 {
		return nil, fmt.Errorf("%s: one word says which key", Kind)
	}
	conn, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	h := &held{conn: conn, agent: agent.NewClient(conn)}
	if err := h.choose(at.Words[0]); err != nil {
		return nil, errors.Join(err, closed(conn))
	}
	return h, nil
}

func (b Backend) dial(ctx context.Context) (net.Conn, error) {
	socket := b.Socket
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		return nil, fmt.Errorf("%w: SSH_AUTH_SOCK is not set; start an agent with `eval $(ssh-agent)` and give it the key with ssh-add", keyring.ErrUnreachable)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("%w: no ssh-agent answers on SSH_AUTH_SOCK: %w", keyring.ErrUnreachable, err)
	}
	return conn, nil
}

// closed closes a connection that its agent may have closed already.
func closed(conn net.Conn) error {
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// held is one key of an agent.
type held struct {
	conn  net.Conn
	agent agent.ExtendedAgent
	ssh   ssh.PublicKey
	key   keyring.Key
}

func (h *held) Key() keyring.Key { return h.key }

// Location is the fingerprint: comments change.
func (h *held) Location() keyring.Location {
	return keyring.Location{Kind: Kind, Words: []string{ssh.FingerprintSHA256(h.ssh)}}
}

func (h *held) Close() error {
	if err := closed(h.conn); err != nil {
		return fmt.Errorf("ssh-agent: %w", err)
	}
	return nil
}

// Sign asks the agent, which may ask its person.
func (h *held) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("ssh-agent: %d bytes are to be signed, and an agent takes at most %d; use a key of another kind", len(payload), MaxPayload)
	}
	stop := context.AfterFunc(ctx, func() { _ = h.conn.Close() })
	defer stop()
	sig, err := h.agent.Sign(h.ssh, payload)
	if err != nil {
		return nil, h.explain(err)
	}
	return plain(h.ssh.Type(), sig)
}

// explain says why an agent did not sign, by asking what it still holds.
func (h *held) explain(err error) error {
	keys, listErr := h.agent.List()
	if listErr != nil {
		return fmt.Errorf("%w: the ssh-agent went away while signing: %w", keyring.ErrUnreachable, err)
	}
	fingerprint := ssh.FingerprintSHA256(h.ssh)
	for _, k := range keys {
		if ssh.FingerprintSHA256(k) == fingerprint {
			return fmt.Errorf("%w by the ssh-agent or by the person whom it asked (%s)", keyring.ErrDeclined, fingerprint)
		}
	}
	return gone(keys, fingerprint)
}

// gone is the error for a key that the agent does not list.
func gone(keys []*agent.Key, wanted string) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: the ssh-agent is empty or locked; give it the key with `ssh-add FILE`, or unlock it with `ssh-add -X`", keyring.ErrNoKey)
	}
	return fmt.Errorf("%w: the ssh-agent has no key %q; give it the key with `ssh-add FILE`. It has:%s", keyring.ErrNoKey, wanted, listing(keys))
}

// listing names keys for a person, one on a line.
func listing(keys []*agent.Key) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "\n  %s %s %s", ssh.FingerprintSHA256(k), k.Format, k.Comment)
	}
	return b.String()
}
