package api

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin is the handler for a listener on loopback: what Health has, and
// /debug/pprof/, where a server in trouble can be looked into while it runs.
func (a *API) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.Health())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Health has what a Prometheus and a keeper of containers ask for, from another
// machine too: /metrics, /livez, /readyz (changes and reports may be sent here), and
// /readyz/polls (handsets may).
func (a *API) Health() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { health(w, a.ready(r.Context())) })
	mux.HandleFunc("GET /readyz/polls", func(w http.ResponseWriter, _ *http.Request) { health(w, a.polls()) })
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text)); err != nil {
		return // the reader went away
	}
}
