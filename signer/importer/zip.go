package importer

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
)

// payloadName is where an OTA package keeps its payload.
const payloadName = "payload.bin"

// payloadInZip finds the payload inside of an OTA package. It must be stored,
// as update_engine demands it, so that it is read in place.
func payloadInZip(r io.ReaderAt, size int64) (*io.SectionReader, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	var found *zip.File
	for _, f := range archive.File {
		if f.Name != payloadName {
			continue
		}
		if found != nil {
			return nil, errors.New("zip: it holds two files payload.bin")
		}
		found = f
	}
	if found == nil {
		return nil, errors.New("zip: it holds no payload.bin, so it is no OTA package")
	}
	if found.Method != zip.Store {
		return nil, errors.New("zip: payload.bin is compressed, which no OTA package does; unpack it and import payload.bin")
	}
	at, err := found.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	length := int64(found.UncompressedSize64)
	if length < 0 || at < 0 || length > size-at {
		return nil, errors.New("zip: payload.bin lies outside of the file")
	}
	return io.NewSectionReader(r, at, length), nil
}
