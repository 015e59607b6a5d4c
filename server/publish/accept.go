package publish

import "strings"

// likings are the weights of codings in thousandths; 0 is "not acceptable".
type likings struct{ gzip, zstd, identity int }

// AcceptsGzip tells whether the values of Accept-Encoding like gzip at least as
// much as nothing at all.
func AcceptsGzip(values []string) bool {
	like := liking(values)
	return like.gzip > 0 && like.gzip >= like.identity
}

// liking reads the values of Accept-Encoding. What is malformed counts as not
// said. A reader that names codings without identity takes that as well, after
// all of them.
func liking(values []string) likings {
	const unsaid = -1
	l, rest := likings{unsaid, unsaid, unsaid}, unsaid
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			coding, parameters, _ := strings.Cut(one, ";")
			w, ok := weight(parameters)
			if !ok {
				continue
			}
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				l.gzip = w
			case strings.EqualFold(coding, "zstd"):
				l.zstd = w
			case strings.EqualFold(coding, "identity"):
				l.identity = w
			case coding == "*":
				rest = w
			}
		}
	}
	for _, w := range []*int{&l.gzip, &l.zstd} {
		if *w == unsaid {
			*w = max(rest, 0)
		}
	}
	if l.identity == unsaid {
		l.identity = 0
	}
	return l
}

// weight reads ";q=0.5" in thousandths (RFC 9110, section 12.4.2); without it a
// coding weighs 1000.
func weight(parameters string) (int, bool) {
	parameters = strings.TrimSpace(parameters)
	if parameters == "" {
		return 1000, true
	}
	name, value, ok := strings.Cut(parameters, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(strings.TrimSpace(value), ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0, false
	}
	w, unit := int(whole[0]-'0')*1000, 100
	for _, digit := range []byte(fraction) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		w, unit = w+int(digit-'0')*unit, unit/10
	}
	return w, w <= 1000
}
