package auth

import (
	"net"
	"net/http"
)

// OriginOf is scheme://host[:port] of this server as the browser that sent a
// request sees it: what is configured. Where nothing is, a request to a name
// that only this machine has (127.0.0.1, ::1, localhost) is believed about its
// own host, and any other has no origin: no page of another site, nor one whose
// name was made to lead here, can then pass for ours.
func (p *People) OriginOf(r *http.Request) string {
	if p.Origin != "" {
		return p.Origin
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// CheckOrigin is ErrForeign unless the browser says that a request comes from
// one of our own pages (Origin, or Sec-Fetch-Site where it sends none).
func (p *People) CheckOrigin(r *http.Request) error {
	ours := p.OriginOf(r)
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case ours == "",
		origin != "" && origin != ours,
		site != "" && site != "same-origin",
		origin == "" && site == "":
		return ErrForeign
	}
	return nil
}
