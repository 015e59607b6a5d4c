package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds below which disk, inodes and descriptors are said to be few.
const (
	lowBytes   = 1 << 30
	noBytes    = 64 << 20
	lowInodes  = 10_000
	noInodes   = 100
	fewFiles   = 4096
	enoughDays = 21
)

// free is what a file system has left.
type free struct{ bytes, inodes, allInodes uint64 }

// statfs is replaced by tests: a file system that is full is hard to come by.
var statfs = func(dir string) (free, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return free{}, err
	}
	return free{bytes: st.Bavail * uint64(st.Bsize), inodes: st.Ffree, allInodes: st.Files}, nil
}

func (v *visit) disk() {
	const do = "make room before the ledger cannot be written: votes and changes are refused then, and nothing is lost"
	f, err := statfs(string(v.Dir))
	if err != nil {
		v.say("disk", Fail, err.Error(), "look at the file system of the data directory")
		return
	}
	text := fmt.Sprintf("%d MiB and %d inodes are free", f.bytes>>20, f.inodes)
	if f.allInodes == 0 { // file systems without a table of inodes
		text = fmt.Sprintf("%d MiB are free", f.bytes>>20)
	}
	switch {
	case f.bytes < noBytes || f.allInodes > 0 && f.inodes < noInodes:
		v.say("disk", Fail, text, do)
	case f.bytes < lowBytes || f.allInodes > 0 && f.inodes < lowInodes:
		v.say("disk", Warn, text, do)
	default:
		v.say("disk", OK, text, "")
	}
}

// limit is replaced by tests.
var limit = func() (uint64, error) {
	var r unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
	return r.Max, err
}

func (v *visit) descriptors() {
	n, err := limit()
	switch {
	case err != nil:
		v.say("descriptors", Warn, err.Error(), "")
	case n < fewFiles:
		v.say("descriptors", Warn, fmt.Sprintf("whoever starts from here may open %d files; each connection and each watch stream takes one", n),
			"raise the limit where the server starts: LimitNOFILE in the systemd unit, ulimits in compose")
	default:
		v.say("descriptors", OK, fmt.Sprintf("whoever starts from here may open %d files", n), "")
	}
}

// tls examines the certificate that handsets and browsers see from here.
func (v *visit) tls() {
	t := v.file.TLS
	if t == nil {
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		v.say("tls", Fail, err.Error(), "give a certificate and the key that belongs to it, both in PEM")
		return
	}
	leaf, now := pair.Leaf, v.Now()
	left := leaf.NotAfter.Sub(now)
	switch {
	case now.Before(leaf.NotBefore):
		v.say("tls", Fail, "the certificate is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "set the clock, or wait")
	case left <= 0:
		v.say("tls", Fail, fmt.Sprintf("the certificate has expired %s ago: handsets and browsers refuse to connect", days(-left)), "renew it and restart the server")
	case left < enoughDays*24*time.Hour:
		v.say("tls", Warn, fmt.Sprintf("the certificate expires in %s", days(left)), "renew it and restart the server")
	default:
		v.say("tls", OK, fmt.Sprintf("the certificate expires in %s", days(left)), "")
	}
	v.chain(pair)
}

func (v *visit) chain(pair tls.Certificate) {
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			v.say("tls", Fail, "the chain holds something else than certificates: "+err.Error(), "give the leaf first, then each authority that signed the one before")
			return
		}
		between.AddCert(c)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: v.Now()}); err != nil {
		v.say("tls", Warn, "this machine does not trust the chain: "+err.Error(),
			"add the authorities between leaf and root to the file; a root of your own must be known to handsets and browsers")
		return
	}
	v.say("tls", OK, "the chain leads to an authority that this machine trusts", "")
}

// proxy examines how requests come here.
func (v *visit) proxy() {
	host, _, err := net.SplitHostPort(v.file.Listen)
	if err != nil {
		return // Load has refused it
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if v.file.TLS == nil && !local {
		v.say("proxy", Warn, fmt.Sprintf("%s speaks plain HTTP to other machines: tokens of the API can be read on the way", v.file.Listen),
			"set tls, or listen on loopback behind a proxy that speaks TLS, or see that nothing but that proxy can connect")
	}
	if v.file.TLS == nil && len(v.file.TrustedProxies) == 0 {
		v.say("proxy", Warn, "without tls a proxy is in front, and trustedProxies names none: all people share one limit on tries", "name the proxy's address in trustedProxies")
	}
	for _, p := range v.file.TrustedProxies {
		if _, n, err := net.ParseCIDR(p); err == nil && wide(n) {
			v.say("proxy", Warn, p+" is trusted with X-Forwarded-For: whoever is in it can choose the address that limits count", "name the proxies alone")
		}
	}
	if o := v.file.OIDC; o != nil && strings.HasPrefix(o.RedirectURL, "http:") && !local {
		v.say("proxy", Fail, "people sign in over plain HTTP: "+o.RedirectURL, "use https: in oidc.redirectURL")
	}
	if v.file.TLS != nil || local && len(v.file.TrustedProxies) > 0 {
		v.say("proxy", OK, "how requests come here is as it should be", "")
	}
}

// wide tells whether a network is larger than a rack of proxies.
func wide(n *net.IPNet) bool {
	ones, bits := n.Mask.Size()
	return bits == 32 && ones < 16 || bits == 128 && ones < 48
}
