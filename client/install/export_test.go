package install

// SetSegment makes segments of bytes, so that small images have several.
func SetSegment(o *Options, bytes int64) { o.Segment = bytes }
