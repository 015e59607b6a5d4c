package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin is the handler for a listener on loopback: what Health has.
func (a *API) Admin() http.Handler { return a.Health() }

// Health has what a Prometheus and a keeper of containers ask for, from another
// machine too: /metrics, /livez, /readyz.
func (a *API) Health() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		t := a.Tree.Tree()
		switch {
		case t == nil:
			say(w, http.StatusServiceUnavailable, "there is no root of trust yet\n")
		case !a.Now().Before(t.Expires):
			say(w, http.StatusServiceUnavailable, "the timestamp has expired\n")
		case a.Ledger.Ping(r.Context()) != nil:
			say(w, http.StatusServiceUnavailable, "the ledger cannot be read\n")
		default:
			say(w, http.StatusOK, "ok\n")
		}
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text)); err != nil {
		return // the reader went away
	}
}
