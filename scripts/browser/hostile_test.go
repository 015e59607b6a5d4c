package browser_test

// hostileNames are what people may call themselves at their provider.
func hostileNames() []string { return nil }
