package main

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// cloud is the receiving side of the messaging service. It never stores a
// number: it counts.
type cloud struct {
	Address string
	Public  []byte // of the key to which numbers are sealed
	private hpke.PrivateKey
	server  *http.Server

	mu     sync.Mutex
	counts cloudCounts
}

// cloudCounts is all that remains of what was received.
type cloudCounts struct {
	LeakedBefore int // numbers sent without opt-in by handsets on the old build
	LeakedAfter  int // the same on any later build; must stay 0
	Sealed       int // numbers sent sealed, by owners who opted in
}

// upload is what a handset's messaging service sends.
type upload struct {
	Fixed   bool     `json:"fixed"` // runs a build with the fix
	Asked   bool     `json:"asked"` // the owner opted in
	Numbers []string `json:"numbers,omitempty"`
	Sealed  []byte   `json:"sealed,omitempty"`
}

var (
	sealKDF  = hpke.HKDFSHA256()
	sealAEAD = hpke.ChaCha20Poly1305()
	sealInfo = []byte("candor demo: contacts")
)

func startCloud() (*cloud, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cloud{Address: "http://" + l.Addr().String(), Public: key.PublicKey().Bytes(), private: private}
	c.server = &http.Server{Handler: http.HandlerFunc(c.receive), ReadTimeout: 10 * time.Second}
	go func() {
		if err := c.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("messaging cloud:", err)
		}
	}()
	return c, nil
}

func (c *cloud) receive(w http.ResponseWriter, r *http.Request) {
	var u upload
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&u); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sealed := 0
	if len(u.Sealed) > 0 {
		plain, err := hpke.Open(c.private, sealKDF, sealAEAD, sealInfo, u.Sealed)
		if err != nil {
			http.Error(w, "not sealed to this service", http.StatusBadRequest)
			return
		}
		sealed = strings.Count(string(plain), "\n") + 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	leaked := len(u.Numbers)
	if !u.Asked {
		leaked += sealed
		sealed = 0
	}
	if u.Fixed {
		c.counts.LeakedAfter += leaked
	} else {
		c.counts.LeakedBefore += leaked
	}
	c.counts.Sealed += sealed
	w.WriteHeader(http.StatusNoContent)
}

func (c *cloud) Counts() cloudCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// startMessaging is the messaging service of a handset: it runs when the OS
// boots, and does what the configuration in the booted image says.
func startMessaging(ctx context.Context, c *cloud, image string, contacts []string, optedIn bool) error {
	conf, err := readFromImage(ctx, image, "/etc/messaging.conf")
	if err != nil {
		return err
	}
	u := upload{Fixed: conf == messagingAfter, Asked: optedIn}
	always := strings.Contains(conf, "upload = always")
	if !always && !optedIn {
		return nil
	}
	if strings.Contains(conf, "sealed = yes") {
		public, err := ecdh.X25519().NewPublicKey(c.Public)
		if err != nil {
			return err
		}
		to, err := hpke.NewDHKEMPublicKey(public)
		if err != nil {
			return err
		}
		if u.Sealed, err = hpke.Seal(to, sealKDF, sealAEAD, sealInfo, []byte(strings.Join(contacts, "\n"))); err != nil {
			return err
		}
	} else {
		u.Numbers = contacts
	}
	return c.send(ctx, u)
}

func (c *cloud) send(ctx context.Context, u upload) error {
	body, err := json.Marshal(u)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("messaging: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("messaging: the cloud answered %s", resp.Status)
	}
	return nil
}
