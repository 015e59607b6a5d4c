package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp" // Unix seconds, of this try
	HeaderSignature = "Webhook-Signature" // "v1,BASE64", more than one with spaces between
)

// Secret is what sender and receiver share: 24 to 64 bytes.
type Secret []byte

const (
	secretPrefix = "whsec_"
	minSecret    = 24
	maxSecret    = 64
	// MaxSecrets is how many a sender signs with at once.
	MaxSecrets = 2
)

// ParseSecret reads "whsec_" and the secret in base64.
func ParseSecret(s string) (Secret, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), secretPrefix)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(raw) < minSecret || len(raw) > maxSecret {
		return nil, errors.New(`webhook secret: expected "whsec_" and 24 to 64 random bytes in base64`)
	}
	return raw, nil
}

// ParseSecrets reads one secret a line: one, or two while they are being
// changed. Empty lines do not count.
func ParseSecrets(data []byte) ([]Secret, error) {
	var out []Secret
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := ParseSecret(line)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(out) == 0 || len(out) > MaxSecrets {
		return nil, fmt.Errorf("webhook secrets: found %d; expected one, or two while they are being changed", len(out))
	}
	return out, nil
}

// String keeps secrets out of logs.
func (Secret) String() string { return "whsec_…" }

func (s Secret) mac(id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, s)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Sign sets the three headers of a delivery that is made now.
func Sign(header http.Header, secrets []Secret, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, 0, len(secrets))
	for _, s := range secrets {
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(s.mac(id, timestamp, body)))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
}
