package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/hooks"
)

// The defaults of File.
const (
	DefaultListen = "127.0.0.1:8080"
	DefaultAdmin  = "127.0.0.1:8081"
)

const maxFile = 64 << 10

// File is config.yaml. Every field may be left out.
type File struct {
	// Listen is host:port for handsets and operators; DefaultListen if empty.
	Listen string `json:"listen,omitempty"`
	// Admin is host:port for metrics and health, on loopback; DefaultAdmin if
	// empty.
	Admin string `json:"admin,omitempty"`
	// Metrics is host:port for metrics and health on another address, for a
	// Prometheus that is on another machine; none if empty.
	Metrics string `json:"metrics,omitempty"`
	// TLS turns HTTPS on. Without it a proxy in front must speak TLS.
	TLS *TLS `json:"tls,omitempty"`
	// Ledger says where counts, approvals and the audit log are kept.
	Ledger Ledger `json:"ledger,omitzero"`
	// S3 keeps blobs and published files in a bucket instead of tree/.
	S3 *S3 `json:"s3,omitempty"`
	// Votes says whose votes count when.
	Votes Votes `json:"votes,omitzero"`
	// Origin is this server as browsers see it, https://ota.example.org: pages of
	// no other may change anything. Absent, it is that of oidc.redirectURL, or,
	// without oidc, whatever name of this machine alone a browser on it uses.
	Origin string `json:"origin,omitempty"`
	// OIDC lets people sign in at a provider; without it they do with tokens.
	OIDC *OIDC `json:"oidc,omitempty"`
	// Sessions says how long people stay signed in.
	Sessions Sessions `json:"sessions,omitzero"`
	// TrustedProxies are addresses or networks whose X-Forwarded-For is
	// believed, so that limits on tries are for who tries and not for the proxy.
	TrustedProxies []string `json:"trustedProxies,omitempty"`
	// Webhooks are told of changes.
	Webhooks []hooks.Config `json:"webhooks,omitempty"`
	// Limits are what the server takes at once.
	Limits Limits `json:"limits,omitzero"`
	// Rollouts says who may open how much.
	Rollouts Rollouts `json:"rollouts,omitzero"`
	// Log says in which form the server tells what it does.
	Log Log `json:"log,omitzero"`
	// Tracing sends spans to an OpenTelemetry collector; none if absent.
	Tracing *Tracing `json:"tracing,omitempty"`
}

// Rollouts are the house's rules for every rollout.
type Rollouts struct {
	// ApprovalShare is the greatest share, in parts per million, that one
	// person may open; a wider stage takes two. 100000 (10 %) if absent;
	// 1000000 asks for a second person nowhere.
	ApprovalShare *manifests.SharePPM `json:"approvalSharePPM,omitempty"`
	// LookEvery is how often the engine looks at the rollouts; 10s if absent.
	LookEvery *manifests.Duration `json:"lookEvery,omitempty"`
}

// OnePerson gives ApprovalShare or its default.
func (r Rollouts) OnePerson() manifests.SharePPM {
	if r.ApprovalShare == nil {
		return 100_000
	}
	return *r.ApprovalShare
}

// Look gives LookEvery or its default.
func (r Rollouts) Look() time.Duration { return orDefault(r.LookEvery, 10*time.Second) }

// TLS names PEM files.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Votes bounds what a stolen batch key can do.
type Votes struct {
	// MinKeyAge is how old a device key must be before it gets tokens while a
	// rollout is in its first stage; 48h if absent, 0s turns it off.
	MinKeyAge *manifests.Duration `json:"minKeyAge,omitempty"`
	// Grace is how long after an attempt silence counts against a build; 24h
	// if absent.
	Grace *manifests.Duration `json:"grace,omitempty"`
	// CloseAfter is how long a release still takes votes after the last of its
	// rollouts has ended; then all but the counts is destroyed. 30d if absent.
	CloseAfter *manifests.Duration `json:"closeAfter,omitempty"`
	// ShowEvery is how often the counts that operators see move on; 1h if
	// absent. Less lets a single report be watched as it lands: for tests and
	// demos, where nobody is to be hidden.
	ShowEvery *manifests.Duration `json:"showEvery,omitempty"`
}

// KeyAge gives MinKeyAge or its default.
func (v Votes) KeyAge() time.Duration { return orDefault(v.MinKeyAge, 48*time.Hour) }

// GraceTime gives Grace or its default.
func (v Votes) GraceTime() time.Duration { return orDefault(v.Grace, 24*time.Hour) }

// Closing gives CloseAfter or its default.
func (v Votes) Closing() time.Duration { return orDefault(v.CloseAfter, 30*24*time.Hour) }

// Shown gives ShowEvery or its default.
func (v Votes) Shown() time.Duration { return orDefault(v.ShowEvery, time.Hour) }

func orDefault(d *manifests.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

// Parse reads a configuration strictly and fills in defaults. The error names
// every mistake that Validate finds.
func Parse(data []byte) (File, error) {
	var f File
	if err := manifests.DecodeYAML(data, maxFile, &f); err != nil {
		return f, fmt.Errorf("config: %w", err)
	}
	f.fill()
	if err := f.Validate(); err != nil {
		return f, fmt.Errorf("config:\n%w", err)
	}
	return f, nil
}

func (f *File) fill() {
	if f.Listen == "" {
		f.Listen = DefaultListen
	}
	if f.Admin == "" {
		f.Admin = DefaultAdmin
	}
}

// Validate reports all mistakes, one a line.
func (f *File) Validate() error {
	var errs []error
	say := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("field %q: %s", field, fmt.Sprintf(format, args...)))
	}
	if _, _, err := net.SplitHostPort(f.Listen); err != nil {
		say("listen", "%q is not host:port", f.Listen)
	}
	host, _, err := net.SplitHostPort(f.Admin)
	if err != nil {
		say("admin", "%q is not host:port", f.Admin)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		say("admin", "%q is not on loopback; metrics and health are for this machine, tunnel to it instead", f.Admin)
	}
	if share := f.Rollouts.OnePerson(); share == 0 || share > manifests.WholeFleet {
		say("rollouts.approvalSharePPM", "is %d; 1 to 1000000 parts per million are allowed", share)
	}
	if every := f.Rollouts.Look(); every < time.Second || every > time.Hour {
		say("rollouts.lookEvery", "is %s; 1s to 1h are allowed", every)
	}
	if f.TLS != nil {
		for field, name := range map[string]string{"tls.cert": f.TLS.Cert, "tls.key": f.TLS.Key} {
			if _, err := os.Stat(name); err != nil {
				say(field, "%v", err)
			}
		}
	}
	f.validateS3(say)
	f.validateLedger(say)
	if _, _, err := net.SplitHostPort(f.Metrics); f.Metrics != "" && err != nil {
		say("metrics", "%q is not host:port", f.Metrics)
	}
	f.validatePeople(say)
	f.Limits.validate(say)
	f.Log.validate(say)
	if f.Tracing != nil {
		f.Tracing.validate(say)
	}
	hooks.Check(f.Webhooks, say)
	return errors.Join(errs...)
}

// template is the config.yaml of a new data directory.
const template = `# candor-server; every field may be left out. server/README.md explains them.
listen: %q
admin: %q
# tls: {cert: /path/cert.pem, key: /path/key.pem}
# ledger: {postgres: {url: "postgres://candor@db.example.org/candor?sslmode=verify-full", passwordFile: /path/p}}
# s3: {endpoint: s3.example.org, bucket: candor, accessKeyFile: /path/a, secretKeyFile: /path/b} # redirect: false streams images through here
# votes: {minKeyAge: 48h, grace: 24h}
# oidc:
#   issuer: https://id.example.org
#   clientID: candor
#   clientSecretFile: /path/secret
#   redirectURL: https://ota.example.org/v1/auth/callback
#   grants: [{group: release-managers, role: operator, products: [phone]}]
# origin: https://ota.example.org # for browsers that sign in with a token; oidc has it already
# limits: {connections: 10000, watch: {heartbeat: 2m}}
# webhooks: [{name: chat, url: https://chat.example.org/candor, secretFile: /path/secret, events: [rollout.*]}]
`
