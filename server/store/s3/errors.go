package s3

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7"

	"github.com/candor-ota/candor/server/store"
)

// errChanged means that an object is not any more what it was when it was
// opened.
var errChanged = errors.New("it changed while it was read; somebody else writes to this bucket")

// causes are what the codes of a service mean to the person who must act.
var causes = []struct {
	codes []string
	words string
}{
	{[]string{"InvalidAccessKeyId", "InvalidAccessKey"}, "the service does not know this access key; check s3.accessKeyFile"},
	{[]string{"SignatureDoesNotMatch"}, "the secret key is not the one of this access key; check s3.secretKeyFile"},
	{[]string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"}, "the credentials have expired; put new ones into s3.accessKeyFile and s3.secretKeyFile; they are read again at once"},
	{[]string{"RequestTimeTooSkewed", "RequestExpired"}, "the clocks of this machine and of the service differ too much; set this one by NTP"},
	{[]string{"AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion", "IllegalLocationConstraintException", "TemporaryRedirect"}, "the bucket is in another region; set s3.region"},
	{[]string{"AccessDenied", "AllAccessDisabled", "AccountProblem"}, "the service forbids it; give this access key the rights to get, put, list and delete in the bucket and to abort multipart uploads"},
	{[]string{"NoSuchBucket"}, "there is no such bucket any more"},
	{[]string{"SlowDown", "ServiceUnavailable", "Throttling", "TooManyRequests", "SlowDownWrite", "SlowDownRead"}, "the service is overloaded and asks to slow down"},
	{[]string{"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull"}, "the bucket is full"},
	{[]string{"InternalError"}, "the service failed on its side"},
}

// explain gives words for an error of the service, empty if there are none.
func explain(err error) string {
	var r minio.ErrorResponse
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &r):
		for _, c := range causes {
			if slices.Contains(c.codes, r.Code) {
				if r.Region != "" && c.codes[0] == "AuthorizationHeaderMalformed" {
					return fmt.Sprintf("%s to %q", c.words, r.Region)
				}
				return c.words
			}
		}
		switch {
		case r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusTooManyRequests:
			return "the service is overloaded and asks to slow down"
		case r.StatusCode >= 500:
			return "the service failed on its side"
		}
		return ""
	case errors.Is(err, errNoAnswer):
		return "the service did not answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended in the middle of the answer"
	case errors.As(err, &authority):
		return "the service's certificate is from an authority that is not trusted; name it in s3.caFile"
	}
	return ""
}

// named says which bucket and object, and what the cause is, and turns the
// service's words into the store's.
func (b *Blobs) named(key string, err error) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf("object %s in bucket %s", b.prefix+key, b.bucket)
	if missing(err) {
		return fmt.Errorf("%s: %w", where, store.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", where, worded(err))
}

// worded puts what a person can do before what the service said.
func worded(err error) error {
	words := explain(err)
	var r minio.ErrorResponse
	switch {
	case errors.As(err, &r) && words != "":
		return fmt.Errorf("%s (%d %s): %w", words, r.StatusCode, r.Code, err)
	case errors.As(err, &r):
		return fmt.Errorf("the service answered %d %s: %w", r.StatusCode, r.Code, err)
	case words != "":
		return fmt.Errorf("%s: %w", words, err)
	}
	return err
}

// missing tells whether there is no such object; a bucket that is gone is
// another matter, and no reason to tell handsets that an image does not exist.
func missing(err error) bool {
	r := answer(err)
	return r.StatusCode == http.StatusNotFound && r.Code != "NoSuchBucket" && r.Code != "NoSuchUpload"
}

// refused tells whether a condition did not hold.
func refused(err error) bool {
	code := answer(err).StatusCode
	return code == http.StatusPreconditionFailed || code == http.StatusConflict
}

// answer finds what the service said in an error; zero if it said nothing.
func answer(err error) minio.ErrorResponse {
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return minio.ErrorResponse{}
	}
	return r
}
