package carry

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Folder is a mirror on disk: the files of a tree under their own names, for
// any web server to read, and .mirror, where what is not whole yet is kept.
type Folder struct {
	root *os.Root
	lock *os.File
}

const (
	workDir   = ".mirror"
	goingFile = workDir + "/going.json" // what nothing names any more, and until when it stays
)

// OpenFolder opens a mirror, or begins one in a folder that is empty or does
// not exist, and keeps a second process out until Close.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	f := &Folder{root: root}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("mirror %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func (f *Folder) open() error {
	if _, err := f.root.Stat(workDir); errors.Is(err, fs.ErrNotExist) {
		entries, err := fs.ReadDir(f.root.FS(), ".")
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return errors.New("is not empty and was no mirror before; give an empty folder")
		}
		if err := f.root.Mkdir(workDir, 0o700); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	lock, err := f.root.OpenFile(workDir+"/lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another process refreshes it (%w)", err)
	}
	return f.sweep(func(name string) bool { return strings.HasSuffix(name, ".new") })
}

// sweep removes what is left in the working folder of tries that died.
func (f *Folder) sweep(gone func(name string) bool) error {
	entries, err := fs.ReadDir(f.root.FS(), workDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if gone(e.Name()) {
			if err := f.root.Remove(workDir + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close releases the folder.
func (f *Folder) Close() error {
	if f.lock == nil {
		return f.root.Close()
	}
	return errors.Join(f.lock.Close(), f.root.Close())
}

func (f *Folder) read(key string) ([]byte, error) {
	file, err := f.root.Open(key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, max(maxFile, 64<<20)))
	return data, errors.Join(err, file.Close())
}

// firstRoot gives the hash of the mirror's own first root, zero if it has none.
func (f *Folder) firstRoot() (manifests.SHA256, error) {
	data, err := f.read(layout.MetadataFile("root", 1))
	if errors.Is(err, fs.ErrNotExist) {
		return manifests.SHA256{}, nil
	}
	return manifests.SumSHA256(data), err
}

// version gives the version of the timestamp that is shown, 0 if there is none.
func (f *Folder) version() (int64, error) {
	data, err := f.read(layout.TimestampFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return publish.TimestampVersion(data)
}

// put writes a file that never changes, unless it is there; one that is there
// with other bytes is put right.
func (f *Folder) put(key string, data []byte) (fresh bool, err error) {
	if now, err := f.read(key); err == nil && bytes.Equal(now, data) {
		return false, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return f.replace(key, data)
}

// replace puts data in the place of what is there, atomically and durably.
func (f *Folder) replace(key string, data []byte) (fresh bool, err error) {
	if now, err := f.read(key); err == nil && bytes.Equal(now, data) {
		return false, nil
	}
	temp := workDir + "/" + rand.Text() + ".new"
	file, err := f.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return false, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return false, errors.Join(err, f.root.Remove(temp))
	}
	return true, f.place(temp, key)
}

// place gives a finished file its name, durably.
func (f *Folder) place(temp, key string) error {
	if err := store.CheckKey(key); err != nil && key != goingFile {
		return err
	}
	if err := f.root.MkdirAll(path.Dir(key), 0o755); err != nil {
		return err
	}
	if err := f.root.Rename(temp, key); err != nil {
		return err
	}
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// has tells whether an object is there: whole, as only whole ones get their
// names, and with check also byte by byte. One that is damaged is not there.
func (f *Folder) has(o store.Object, check bool) (bool, error) {
	file, err := f.root.Open(o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	st, err := file.Stat()
	same := err == nil && st.Size() == o.Size
	if same && check {
		same, err = store.Same(o, file)
	}
	return same, errors.Join(err, file.Close())
}

// resume writes an object over what an earlier try has left of it, and gives
// how many bytes came now. Other bytes than announced are thrown away.
func (f *Folder) resume(o store.Object, from func(offset int64) (io.ReadCloser, error)) (got int64, err error) {
	part := workDir + "/" + o.SHA256.String() + ".part"
	file, err := f.root.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return 0, err
	}
	sum := sha256.New()
	at, err := io.Copy(sum, file)
	if err == nil && at > o.Size {
		err = errOther
	}
	if err == nil {
		var body io.ReadCloser
		if body, err = from(at); err == nil {
			got, err = io.Copy(io.MultiWriter(file, sum), io.LimitReader(body, o.Size-at+1))
			err = errors.Join(err, body.Close())
		}
	}
	switch {
	case err != nil:
	case at+got < o.Size:
		err = fmt.Errorf("%s ended after %d bytes of %d; the next try goes on from there", o.Key, at+got, o.Size)
	case at+got > o.Size || manifests.SHA256(sum.Sum(nil)) != o.SHA256:
		err = fmt.Errorf("%s: %w", o.Key, errOther)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		if errors.Is(err, errOther) {
			err = errors.Join(err, f.root.Remove(part))
		}
		return got, err
	}
	return got, f.place(part, o.Key)
}

var errOther = errors.New("the bytes are not those that are signed; they were thrown away")

// collect removes what nothing names any more, once its time has come, and
// tells how many files that were. Roots stay for ever.
func (f *Folder) collect(keep map[string]bool, now time.Time) (int, error) {
	going := map[string]manifests.Time{}
	if data, err := f.read(goingFile); err == nil {
		if err := json.Unmarshal(data, &going); err != nil {
			going = map[string]manifests.Time{} // everything stays a while longer
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	next := map[string]manifests.Time{}
	var gone []string
	err := fs.WalkDir(f.root.FS(), ".", func(key string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !ours(key) || keep[key] || layout.IsRootFile(key) {
			return nil
		}
		until, known := going[key]
		switch {
		case !known:
			next[key] = manifests.At(now.UTC().Add(publish.Grace))
		case now.After(until.Time):
			gone = append(gone, key)
		default:
			next[key] = until
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(next)
	if err != nil {
		return 0, err
	}
	if _, err := f.replace(goingFile, data); err != nil {
		return 0, err
	}
	for _, key := range gone {
		if err := f.root.Remove(key); err != nil {
			return 0, err
		}
	}
	return len(gone), f.sweep(func(name string) bool { // of images that nobody wants any more
		hash, ok := strings.CutSuffix(name, ".part")
		return ok && !keep[layout.BlobsDir+"/"+hash]
	})
}
