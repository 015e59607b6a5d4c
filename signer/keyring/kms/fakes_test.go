//go:build kms

package kms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// service is a fake of one: keys by name, and what it answers instead, if that
// is set.
type service struct {
	t    *testing.T
	http *httptest.Server

	mu     sync.Mutex
	keys   map[string]crypto.Signer
	status int    // of every answer, if not 0
	body   string // of that answer
}

func (s *service) make(name, kind string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[name] != nil {
		return
	}
	var err error
	switch kind {
	case keyring.TypeEd25519:
		_, s.keys[name], err = ed25519.GenerateKey(rand.Reader)
	case keyring.TypeP256:
		s.keys[name], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		s.keys[name], err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, name)
}

func (s *service) answers(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

// refuses sends what answers has set.
func (s *service) refuses(w http.ResponseWriter) bool {
	if s.status == 0 {
		return false
	}
	s.send(w, s.status, json.RawMessage(s.body))
	return true
}

func (s *service) send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.t.Error(err)
	}
}

// newAWS fakes what the awskms provider asks of AWS KMS: DescribeKey,
// GetPublicKey and Sign, over HTTPS with a certificate of its own.
func newAWS(t *testing.T) *service {
	s := &service{t: t, keys: map[string]crypto.Signer{}}
	s.http = httptest.NewTLSServer(http.HandlerFunc(s.aws))
	t.Cleanup(s.http.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	if err := os.WriteFile(bundle, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": bundle, "AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	return s
}

func (s *service) awsURL(name string) string {
	return "awskms://" + strings.TrimPrefix(s.http.URL, "https://") + "/alias/" + name
}

func (s *service) aws(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q struct{ KeyId, Message, MessageType, SigningAlgorithm string }
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIATEST/") {
		s.t.Errorf("question %v, %q", err, r.Header)
	}
	if s.refuses(w) {
		return
	}
	key := s.keys[strings.TrimPrefix(q.KeyId, "alias/")]
	if key == nil {
		s.send(w, http.StatusBadRequest, map[string]string{"__type": "NotFoundException", "message": "Alias is not found."})
		return
	}
	algorithms := []string{"ECDSA_SHA_256"}
	if p, ok := key.Public().(*ecdsa.PublicKey); ok && p.Curve != elliptic.P256() {
		algorithms = []string{"ECDSA_SHA_384"}
	}
	switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService."); operation {
	case "DescribeKey":
		s.send(w, http.StatusOK, map[string]any{"KeyMetadata": map[string]any{"KeyId": q.KeyId, "SigningAlgorithms": algorithms}})
	case "GetPublicKey":
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			s.t.Error(err)
		}
		s.send(w, http.StatusOK, map[string]any{"KeyId": q.KeyId, "PublicKey": der, "SigningAlgorithms": algorithms})
	case "Sign":
		digest, err := base64.StdEncoding.DecodeString(q.Message)
		if err != nil || q.MessageType != "DIGEST" || q.SigningAlgorithm != algorithms[0] {
			s.t.Errorf("asked to sign %+v", q)
		}
		sig, err := key.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil {
			s.t.Error(err)
		}
		s.send(w, http.StatusOK, map[string]any{"KeyId": q.KeyId, "Signature": sig})
	default:
		s.t.Errorf("unknown operation %q", operation)
	}
}

// newVault fakes what the hashivault provider asks of Vault's transit engine:
// reading a key, and signing.
func newVault(t *testing.T) *service {
	s := &service{t: t, keys: map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/transit/keys/{name}", s.vaultRead)
	mux.HandleFunc("PUT /v1/transit/sign/{name}", s.vaultSign)
	mux.HandleFunc("PUT /v1/transit/sign/{name}/sha2-256", s.vaultSign)
	s.http = httptest.NewServer(mux)
	t.Cleanup(s.http.Close)
	t.Setenv("VAULT_ADDR", s.http.URL)
	t.Setenv("VAULT_TOKEN", "hvs.test")
	t.Setenv("VAULT_MAX_RETRIES", "0")
	return s
}

func (s *service) vaultRead(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("X-Vault-Token") != "hvs.test" {
		s.t.Error("no token")
	}
	if s.refuses(w) {
		return
	}
	key := s.keys[r.PathValue("name")]
	if key == nil {
		s.send(w, http.StatusNotFound, map[string]any{"errors": []string{}})
		return
	}
	version := map[string]any{"name": "P-256"}
	if public, ok := key.Public().(ed25519.PublicKey); ok {
		version["name"], version["public_key"] = "ed25519", base64.StdEncoding.EncodeToString(public)
	} else {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			s.t.Error(err)
		}
		version["public_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	s.send(w, http.StatusOK, map[string]any{"data": map[string]any{"keys": map[string]any{"1": version}, "latest_version": 1}})
}

func (s *service) vaultSign(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q struct {
		Input     []byte `json:"input"`
		Prehashed bool   `json:"prehashed"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		s.t.Error(err)
	}
	if s.refuses(w) {
		return
	}
	key := s.keys[r.PathValue("name")]
	if key == nil {
		s.send(w, http.StatusBadRequest, map[string]any{"errors": []string{"signing key not found"}})
		return
	}
	hash := crypto.Hash(0)
	if q.Prehashed {
		hash = crypto.SHA256
	}
	sig, err := key.Sign(rand.Reader, q.Input, hash)
	if err != nil {
		s.t.Error(err)
	}
	s.send(w, http.StatusOK, map[string]any{"data": map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)}})
}
