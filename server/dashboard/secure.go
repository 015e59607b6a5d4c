package dashboard

import "net/http"

// Policy is the content security policy of every page that this server makes.
// All that a page may load is of this server, and nothing in a page itself runs
// or styles it. Svelte makes elements of its own compiled templates through the
// one trusted-types policy that is named; any other string that is to become
// HTML or script is refused by the browser.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

// confined are the header values of all answers; they are not to be changed.
var confined = map[string][]string{
	"Content-Security-Policy": {Policy},
	"X-Content-Type-Options":  {"nosniff"},
	// No other site learns an address; this one must, or browsers would send
	// its own plain forms without an Origin, and they would be refused.
	"Referrer-Policy":              {"same-origin"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), payment=(), serial=(), usb=()"},
}

// Secure sets the headers that confine a page, and what others may do with it:
// no frame around it, no window that opened it, no address handed on.
func Secure(h http.Header) {
	for name, value := range confined {
		h[name] = value
	}
}
