package publish

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/candor-ota/candor/manifests/layout"
)

// File is one file of the tree as it is served: as it is, which is what hashes
// are over, and compressed for whoever asks. It is read without locks.
type File struct {
	Form           // as it is
	Immutable bool // never replaced under this name

	once   sync.Once
	packed [2]*Form // gzip and zstd; nil where that saves too little
}

// Form is one representation of a file, with header values that were made once
// for all answers.
type Form struct {
	Body []byte
	ETag string // strong, with its quotes: each form has its own
	// ETags, Length and Encoding are header values; Encoding is nil for the
	// file as it is.
	ETags, Length, Encoding []string
}

// worthwhile is what a form must save to be used: one part in so many.
const worthwhile = 8

// NewFile is a file that holds body, which is not to be changed; immutable says
// that its name never stands for other bytes.
func NewFile(body []byte, immutable bool) *File {
	return &File{Form: *newForm(body, nil), Immutable: immutable}
}

func newForm(body []byte, encoding []string) *Form {
	tag := layout.ETag(body)
	return &Form{Body: body, ETag: tag, ETags: []string{tag}, Length: []string{strconv.Itoa(len(body))}, Encoding: encoding}
}

// Accepting gives the form for the values of a request's Accept-Encoding
// (RFC 9110, section 12.5.3): of what the reader likes best, the smallest. A
// file is compressed once, when that is first asked for.
func (f *File) Accepting(values []string) *Form {
	if len(values) == 0 || len(values) == 1 && values[0] == "identity" {
		return &f.Form
	}
	like := liking(values)
	f.once.Do(f.pack)
	best, weight := &f.Form, like.identity
	for i, w := range [...]int{like.gzip, like.zstd} {
		form := f.packed[i]
		if form == nil || w <= 0 || w < weight {
			continue
		}
		if w > weight || len(form.Body) < len(best.Body) {
			best, weight = form, w
		}
	}
	return best
}

func (f *File) pack() {
	for i, form := range [...]*Form{newForm(gzipped(f.Body), []string{"gzip"}), newForm(zstandard(f.Body), []string{"zstd"})} {
		if len(form.Body) <= len(f.Body)-len(f.Body)/worthwhile {
			f.packed[i] = form
		}
	}
}

// gzipped compresses into memory, where nothing fails.
func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return body // saves nothing, and is not used
	}
	return out.Bytes()
}

// encoder is made when a file is first compressed. Its window is small enough
// for any decoder (RFC 8878, section 3.1.1.1.2, recommends 8 MiB).
var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
})

func zstandard(body []byte) []byte {
	e, err := encoder()
	if err != nil {
		return body // saves nothing, and is not used
	}
	return e.EncodeAll(body, nil)
}
