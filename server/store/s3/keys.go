package s3

import (
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// KeysAge is how long keys are used before they are read again: as long as a
// changed key takes to be used. The two files are changed one after the other,
// and whoever asks the service in between is refused and asks again.
const KeysAge = 5 * time.Second

func (c Config) credentials() *credentials.Credentials {
	if c.ReadKeys == nil {
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")
	}
	return credentials.New(&keys{read: c.ReadKeys, now: time.Now})
}

// keys are a credentials.Provider. Its caller holds a lock.
type keys struct {
	read func() (access, secret string, err error)
	now  func() time.Time
	last credentials.Value // nothing yet where it is empty
	at   time.Time
}

// RetrieveWithCredContext reads the keys. While they cannot be read, those that
// were read last are used on: whoever changes a file may leave none for a moment.
func (k *keys) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	access, secret, err := k.read()
	if err != nil && k.last.AccessKeyID == "" {
		return credentials.Value{}, err
	}
	if err == nil {
		k.last = credentials.Value{AccessKeyID: access, SecretAccessKey: secret, SignerType: credentials.SignatureV4}
	}
	k.at = k.now()
	return k.last, nil
}

// Retrieve is RetrieveWithCredContext.
func (k *keys) Retrieve() (credentials.Value, error) { return k.RetrieveWithCredContext(nil) }

// IsExpired tells that the keys are to be read again.
func (k *keys) IsExpired() bool { return k.now().Sub(k.at) >= KeysAge }
