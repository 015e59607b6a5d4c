package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
)

// Journal keeps one small record in a file of fixed size that has room for two.
// A record is written over the older of the two and synced, so that a power cut
// in the middle leaves the newer one as it was. The file is made once, at full
// size: writing a record never needs space. It is not for concurrent use.
//
// Each half has: 8 bytes "CANDORJ1", uint64 sequence, uint32 length, the
// record, zeros; in its last 4 bytes the CRC-32C of all before. Integers are
// big-endian.
type Journal struct {
	disk     Disk
	path     string
	sequence uint64 // of the newest record
	record   []byte
}

// ErrDamaged says that neither half of a journal can be read.
var ErrDamaged = errors.New("journal is damaged: neither of its records can be read")

const (
	journalMagic = "CANDORJ1"
	halfBytes    = 16 << 10
	frontBytes   = 8 + 8 + 4
	crcBytes     = 4
)

// MaxRecord is the size of the largest record, in bytes.
const MaxRecord = halfBytes - frontBytes - crcBytes

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenJournal opens the journal at path and makes it if it is not there. With
// ErrDamaged the journal is usable too: it has no record, and the next Save
// repairs it. What the record would have said must then be found out otherwise.
func OpenJournal(d Disk, path string) (*Journal, error) {
	j := &Journal{disk: d, path: path}
	f, err := d.Open(path, Read)
	if errors.Is(err, fs.ErrNotExist) {
		return j, j.create()
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, errors.Join(j.load(f), f.Close())
}

// create writes two empty halves: a journal is there whole or not at all.
func (j *Journal) create() error {
	j.sequence = 1
	if err := Replace(j.disk, j.path, append(encodeHalf(0, nil), encodeHalf(1, nil)...)); err != nil {
		return fmt.Errorf("make journal %s: %w", j.path, err)
	}
	return nil
}

func (j *Journal) load(f File) error {
	found := false
	for i := range uint64(2) {
		half := make([]byte, halfBytes)
		if n, err := f.ReadAt(half, int64(i)*halfBytes); n < len(half) {
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("read journal %s: %w", j.path, err)
			}
			continue
		}
		sequence, record, ok := decodeHalf(half)
		if ok && sequence%2 == i && (!found || sequence > j.sequence) {
			j.sequence, j.record, found = sequence, record, true
		}
	}
	if !found {
		return fmt.Errorf("%s: %w", j.path, ErrDamaged)
	}
	return nil
}

// Record gives the newest record, nil if there never was one.
func (j *Journal) Record() []byte { return j.record }

// Save writes a record. It is durable when Save returns; on error the record
// before still is.
func (j *Journal) Save(record []byte) error {
	if len(record) > MaxRecord {
		return fmt.Errorf("journal %s: a record of %d bytes; at most %d fit", j.path, len(record), MaxRecord)
	}
	f, err := j.disk.Open(j.path, Write)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	next := j.sequence + 1
	_, err = f.WriteAt(encodeHalf(next, record), int64(next%2)*halfBytes)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write journal %s: %w", j.path, err)
	}
	j.sequence, j.record = next, append([]byte(nil), record...)
	return nil
}

var blank [halfBytes]byte

func encodeHalf(sequence uint64, record []byte) []byte {
	half := make([]byte, halfBytes)
	copy(half, journalMagic)
	binary.BigEndian.PutUint64(half[8:], sequence)
	binary.BigEndian.PutUint32(half[16:], uint32(len(record)))
	copy(half[frontBytes:], record)
	body := half[:halfBytes-crcBytes]
	binary.BigEndian.PutUint32(half[len(body):], crc32.Checksum(body, castagnoli))
	return half
}

func decodeHalf(half []byte) (sequence uint64, record []byte, ok bool) {
	body := half[:halfBytes-crcBytes]
	if string(half[:8]) != journalMagic || binary.BigEndian.Uint32(half[len(body):]) != crc32.Checksum(body, castagnoli) {
		return 0, nil, false
	}
	length := binary.BigEndian.Uint32(half[16:])
	if length > MaxRecord {
		return 0, nil, false
	}
	record = half[frontBytes : frontBytes+length]
	if rest := body[frontBytes+length:]; !bytes.Equal(rest, blank[:len(rest)]) {
		return 0, nil, false
	}
	if length == 0 {
		record = nil
	}
	return binary.BigEndian.Uint64(half[8:]), record, true
}

// ReadJournal gives the newest record of the journal at path, nil if there
// never was one. It changes nothing, and makes no journal that is not there.
func ReadJournal(d Disk, path string) ([]byte, error) {
	f, err := d.Open(path, Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{disk: d, path: path}
	err = errors.Join(j.load(f), f.Close())
	return j.record, err
}
