package ceremony

import (
	"fmt"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
)

const maxOnline = 16 << 10

// Online holds the public keys of the service, as `candor-server init` exports
// them. The private halves never leave the service.
type Online struct {
	Rollouts  OnlineKey `json:"rollouts"`
	Snapshot  OnlineKey `json:"snapshot"`
	Timestamp OnlineKey `json:"timestamp"`
}

// OnlineKey is one of them. KeyID may be left out; when given it must fit.
type OnlineKey struct {
	KeyID string      `json:"keyid,omitempty"`
	Key   keyring.Key `json:"key"`
}

// ParseOnline reads the exported file strictly and checks each key.
func ParseOnline(data []byte) (Online, error) {
	var o Online
	if err := strict.Decode(data, maxOnline, &o); err != nil {
		return Online{}, fmt.Errorf("online keys: %w", err)
	}
	for _, k := range []struct {
		role string
		key  *OnlineKey
	}{{"rollouts", &o.Rollouts}, {"snapshot", &o.Snapshot}, {"timestamp", &o.Timestamp}} {
		if _, err := k.key.Key.Parse(); err != nil {
			return Online{}, fmt.Errorf("online keys: field %q: %w", k.role, err)
		}
		id, err := k.key.Key.ID()
		if err != nil {
			return Online{}, err
		}
		if k.key.KeyID != "" && k.key.KeyID != id {
			return Online{}, fmt.Errorf("online keys: field %q: keyid is %s, but the key has id %s", k.role, short(k.key.KeyID), short(id))
		}
		k.key.KeyID = id
	}
	return o, nil
}

// ReadOnline is ParseOnline of a file.
func ReadOnline(path string) (Online, error) {
	data, err := keyring.ReadFile(path, maxOnline)
	if err != nil {
		return Online{}, err
	}
	o, err := ParseOnline(data)
	if err != nil {
		return Online{}, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}
