package receipts

// Small makes a log that rotates early.
func (l *Log) Small(entries int, bytes int64) *Log {
	l.entries, l.bytes = entries, bytes
	return l
}
