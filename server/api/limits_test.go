package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

const tries = 20 // that an address has at once

func (w *world) wrongToken(header ...string) (int, http.Header) {
	w.t.Helper()
	status, h, _ := w.call("", "GET", "/v1/products", nil, append([]string{"Authorization", "Bearer candor_" + strings.Repeat("A", 43)}, header...)...)
	return status, h
}

func TestWrongTokensCostTheirAddressItsTries(t *testing.T) {
	w := newWorld(t, func(w *world) { w.proxies = []string{"127.0.0.1"} })
	from := func(a string) []string { return []string{"X-Forwarded-For", a} }
	w.call(auth.Viewer, "GET", "/v1/products", nil, from("192.0.2.1")...)
	for i := range tries {
		if status, _ := w.wrongToken(from("192.0.2.1")...); status != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, status)
		}
	}
	status, h := w.wrongToken(from("192.0.2.1")...)
	wait, err := strconv.Atoi(h.Get("Retry-After"))
	if status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 60 {
		t.Fatalf("%d, Retry-After %q", status, h.Get("Retry-After"))
	}
	w.refused(429, contract.CodeRateLimited, auth.Engineer, "GET", "/v1/products", nil, from("192.0.2.1")...)
	for address, role := range map[string]auth.Role{
		"192.0.2.1":    auth.Viewer, // has worked before
		"192.0.2.2":    auth.Engineer,
		"2001:db8::1":  auth.Engineer,
		"198.51.100.7": auth.Admin,
	} {
		if status, _, data := w.call(role, "GET", "/v1/products", nil, from(address)...); status != http.StatusOK {
			t.Errorf("a valid token at %s: %d %s", address, status, data)
		}
	}
	w.wait(time.Duration(wait) * time.Second)
	if status, _ := w.wrongToken(from("192.0.2.1")...); status != http.StatusUnauthorized {
		t.Errorf("%d after Retry-After", status)
	}
	if strings.Contains(w.log.String(), "192.0.2") {
		t.Error("the log holds an address")
	}
}

func TestForgedAddressesGiveNoTries(t *testing.T) {
	for header, trusted := range map[string][]string{
		"X-Forwarded-For": nil,
		"X-Real-IP":       {"127.0.0.1"}, // proxies pass it on as it comes
	} {
		w := newWorld(t, func(w *world) { w.proxies = trusted })
		limited := false
		for i := range tries + 1 {
			status, _ := w.wrongToken(header, "192.0.2."+strconv.Itoa(i))
			limited = limited || status == http.StatusTooManyRequests
		}
		if !limited {
			t.Errorf("a made-up %s is a new address", header)
		}
	}
}

func TestSigningInIsLimited(t *testing.T) {
	h := newHouse(t)
	li := h.browser()
	h.signIn(li, "li")
	b := h.browser()
	var p page
	for range tries {
		p = b.get(h.http.URL + "/v1/auth/login")
	}
	if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" {
		t.Errorf("%d", p.status)
	}
	if p := b.get(h.http.URL + "/v1/auth/callback?state=x&code=y"); p.status != http.StatusTooManyRequests {
		t.Errorf("callback: %d", p.status)
	}
	h.whoami(li)
	get[contract.ProductList](h.world, auth.Viewer, "GET", "/v1/products", nil)
	h.wait(time.Minute)
	h.signIn(b, "wei")
}
