package receipts

// Line gives an entry as it stands in a log, and makes its hash fit.
func Line(e *Entry) ([]byte, error) { return e.line() }

// Small makes a log that rotates early.
func (l *Log) Small(entries int, bytes int64) *Log {
	l.entries, l.bytes = entries, bytes
	return l
}
