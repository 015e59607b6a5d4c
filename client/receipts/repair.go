package receipts

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/candor-ota/candor/client/disk"
)

// load finds out where the log stands. It takes an unfinished line away and
// sets aside what does not hold, with a line that says so.
func (l *Log) load() error {
	if l.loaded {
		return nil
	}
	data, err := l.read()
	if err != nil {
		return fmt.Errorf("receipts %s: %w", l.path, err)
	}
	c, damage := Parse(data)
	if err := l.stand(c); err != nil {
		return err
	}
	switch {
	case damage != nil:
		err = l.setAside(data, damage)
	case c.Unfinished > 0:
		err = l.cutOff(data[:c.good], c.Unfinished)
	}
	if err != nil {
		return fmt.Errorf("receipts %s: %w", l.path, err)
	}
	l.loaded = true
	return nil
}

// stand takes over a chain as what the file holds.
func (l *Log) stand(c *Chain) error {
	l.last, l.count, l.size, l.recent = nil, len(c.Entries), c.good, nil
	for i := max(0, len(c.Entries)-memory); i < len(c.Entries); i++ {
		same, err := c.Entries[i].substance()
		if err != nil {
			return err
		}
		l.recent, l.last = append(l.recent, same), &c.Entries[i]
	}
	return nil
}

// settle makes lines the whole log.
func (l *Log) settle(lines ...[]byte) error {
	data := slices.Concat(lines...)
	if err := l.replace(data); err != nil {
		return err
	}
	c, err := Parse(data)
	if err != nil {
		return err
	}
	return l.stand(c)
}

// cutOff drops an unfinished line. What it was to say is said again by whoever
// was cut short.
func (l *Log) cutOff(good []byte, unfinished int) error {
	e := Entry{Kind: PowerCut, Why: fmt.Sprintf("The power was cut, or the disk was full, while a line was written; %d bytes of it were taken away.", unfinished)}
	l.stamp(&e)
	line, err := l.link(&e)
	if err != nil {
		return err
	}
	return l.settle(good, line)
}

// setAside keeps a log that does not hold under another name and begins anew.
// The copy comes first, so that at no moment there is no log.
func (l *Log) setAside(data []byte, damage error) error {
	aside := l.path + SetAside
	if err := disk.Replace(l.disk, aside, data); err != nil {
		return err
	}
	d := Dropped{Damaged: true}
	if l.last != nil {
		d.Through, d.Hash = l.last.Seq, l.last.Hash
	}
	line, err := l.anchor(d, fmt.Sprintf("Earlier receipts were set aside as %s: %v.", filepath.Base(aside), damage))
	if err != nil {
		return err
	}
	return l.settle(line)
}

// anchor makes the first line of a log whose earlier entries are gone.
func (l *Log) anchor(d Dropped, why string) ([]byte, error) {
	e := Entry{Kind: Anchor, Seq: d.Through, Dropped: &d, Why: why}
	e.tidy()
	l.stamp(&e)
	return e.line()
}

// rotate keeps the newest three quarters. An anchor stands for the rest.
func (l *Log) rotate() error {
	data, err := l.read()
	if err != nil {
		return err
	}
	c, err := Parse(data)
	if err != nil {
		return err
	}
	first := c.newest(l.entries*3/4, l.bytes*3/4)
	if first == 0 {
		return errors.New("there is no room for a single entry")
	}
	next, prev := c.Entries[first-1].next()
	line, err := l.anchor(Dropped{Through: next - 1, Hash: prev}, fmt.Sprintf("Receipts through number %d made room for newer ones.", next-1))
	if err != nil {
		return err
	}
	return l.settle(line, data[c.starts[first]:c.good])
}

// newest gives the first of the newest entries that fit into so many, an anchor
// included, and into so many bytes; zero if all do.
func (c *Chain) newest(entries int, bytes int64) int {
	first := max(0, len(c.Entries)-(entries-1))
	for first < len(c.Entries)-1 && c.good-c.starts[first] > bytes {
		first++
	}
	return first
}
