package auth_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/auth"
)

func v4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func TestTriesComeBackWithTime(t *testing.T) {
	l := auth.NewLimiter(auth.Rate{Burst: 2, Every: time.Minute}, auth.Rate{Burst: 100, Every: time.Second})
	a, b := v4(1), v4(2)
	for range 2 {
		if err := l.Spend(a, now); err != nil {
			t.Fatal(err)
		}
	}
	var many *auth.TooManyError
	if err := l.Spend(a, now); !errors.As(err, &many) || many.Retry != time.Minute {
		t.Errorf("%v", err)
	}
	if err := l.Blocked(a, now.Add(30*time.Second)); !errors.As(err, &many) || many.Retry.Round(time.Second) != 30*time.Second {
		t.Errorf("%v", err)
	}
	if l.Blocked(b, now) != nil || l.Spend(b, now) != nil {
		t.Error("an address pays for another")
	}
	if l.Blocked(a, now.Add(time.Minute)) != nil || l.Spend(a, now.Add(time.Minute)) != nil {
		t.Error("a try does not come back")
	}
}

func TestOneNetworkIsOneParty(t *testing.T) {
	l := auth.NewLimiter(auth.Rate{Burst: 1, Every: time.Hour}, auth.Rate{Burst: 100, Every: time.Second})
	for _, c := range []struct {
		address string
		fresh   bool
	}{
		{"2001:db8:1:2::1", true},
		{"2001:db8:1:2:ffff::1", false},
		{"2001:db8:1:3::1", true},
		{"2001:db8:1:3::2%eth0", false},
		{"192.0.2.1", true},
		{"::ffff:192.0.2.1", false},
		{"192.0.2.2", true},
	} {
		if err := l.Spend(netip.MustParseAddr(c.address), now); (err == nil) != c.fresh {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	if l.Spend(netip.Addr{}, now) != nil || l.Spend(netip.Addr{}, now) == nil {
		t.Error("senders without an address do not share a limit")
	}
}

func TestAllTogetherRunOutButBlockNobody(t *testing.T) {
	l := auth.NewLimiter(auth.Rate{Burst: 5, Every: time.Second}, auth.Rate{Burst: 10, Every: time.Second})
	refused := 0
	for i := range uint32(20) {
		if l.Spend(v4(i), now) != nil {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("%d of 20 were refused", refused)
	}
	if err := l.Blocked(v4(99), now); err != nil {
		t.Errorf("an address that tried nothing is blocked: %v", err)
	}
}

func TestLimiterForgetsTheOldestAddress(t *testing.T) {
	l := auth.NewLimiter(auth.Rate{Burst: 1, Every: time.Hour}, auth.Rate{Burst: 1 << 20, Every: time.Nanosecond})
	for i := range uint32(5000) {
		if err := l.Spend(v4(i), now); err != nil {
			t.Fatal(err)
		}
	}
	if l.Blocked(v4(0), now) != nil {
		t.Error("memory grows with addresses")
	}
	if l.Blocked(v4(4999), now) == nil {
		t.Error("the latest address is forgotten")
	}
}

func TestValidTokensOfOthersAreNeverLockedOut(t *testing.T) {
	l, _ := ledger(t)
	_, secret, err := auth.Create(t.Context(), l, auth.NewToken{Name: "ops", Role: auth.Operator, By: "test"}, now)
	if err != nil {
		t.Fatal(err)
	}
	b := &auth.Bearers{
		Tokens: l, Now: func() time.Time { return now },
		Limit: auth.NewLimiter(auth.Rate{Burst: 3, Every: time.Hour}, auth.Rate{Burst: 5, Every: time.Hour}),
	}
	var many *auth.TooManyError
	for i := range uint32(20) {
		if _, err := b.Authenticate(t.Context(), "Bearer candor_x", v4(i%4)); err == nil {
			t.Fatal("a wrong token is right")
		}
	}
	if _, err := b.Authenticate(t.Context(), "Bearer candor_x", v4(9)); !errors.As(err, &many) {
		t.Errorf("all together have tries left: %v", err)
	}
	if _, err := b.Authenticate(t.Context(), "Bearer "+secret, v4(0)); !errors.As(err, &many) {
		t.Errorf("an address without tries is looked up: %v", err)
	}
	for _, from := range []netip.Addr{v4(10), v4(0)} { // there it works, and then everywhere
		if who, err := b.Authenticate(t.Context(), "Bearer "+secret, from); err != nil || who.Name != "ops" {
			t.Errorf("%s: %v", from, err)
		}
	}
}
