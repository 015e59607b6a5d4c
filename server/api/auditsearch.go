package api

import (
	"context"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/store"
)

// auditSearch fills one page of the audit log. However little of the log it is
// that is looked for, it looks at no more than auditReach entries for a name and
// at auditScan for what somebody may see, and then says where to go on.
type auditSearch struct {
	store.EntryQuery // what is left to be looked at
	log              store.Audit
	limit            int                             // of the page
	sees             func(store.Entry) (bool, error) // nil: everything
}

// firstReach is how far the first look for a name goes; each further one goes
// twice as far, so that a name which is common is found at once.
const firstReach = 4096

// page searches up to the entry that is the head now: what comes meanwhile is on
// no page twice, and on none too late.
func (s *auditSearch) page(ctx context.Context, head int64) (contract.AuditPage, error) {
	out := contract.AuditPage{Entries: []contract.AuditEntry{}}
	if s.Before == 0 || s.Before > head {
		s.Before = head + 1
	}
	looked, reach, reached := 0, int64(firstReach), int64(0)
	for s.After+1 < s.Before {
		if looked >= auditScan || reached >= auditReach {
			out.Next = s.place()
			break
		}
		part := s.part(reach, looked, len(out.Entries))
		list, err := s.log.Entries(ctx, part)
		if err != nil {
			return out, err
		}
		for _, e := range list {
			if s.sees != nil {
				looked++
				if seen, err := s.sees(e); err != nil {
					return out, err
				} else if !seen {
					continue
				}
			}
			if len(out.Entries) == s.limit {
				next := out.Entries[s.limit-1].Seq
				out.Next = &next
				return out, nil
			}
			out.Entries = append(out.Entries, entryOf(e))
		}
		if s.Who != "" {
			reached, reach = reached+reach, reach*2
		}
		s.passed(part, list)
	}
	return out, nil
}

// part is what is looked at next.
func (s *auditSearch) part(reach int64, looked, found int) store.EntryQuery {
	part := s.EntryQuery
	if part.Limit = s.limit + 1 - found; s.sees != nil {
		part.Limit = min(500, auditScan-looked)
	}
	switch {
	case s.Who == "":
	case s.Newest:
		part.After = max(s.After, s.Before-1-reach)
	default:
		part.Before = min(s.Before, s.After+1+reach)
	}
	return part
}

// passed takes away what was looked at.
func (s *auditSearch) passed(part store.EntryQuery, list []store.Entry) {
	whole := len(list) < part.Limit
	switch {
	case whole && s.Newest:
		s.Before = part.After + 1
	case whole:
		s.After = part.Before - 1
	case s.Newest:
		s.Before = list[len(list)-1].Seq
	default:
		s.After = list[len(list)-1].Seq
	}
}

// place is where the next page begins.
func (s *auditSearch) place() *int64 {
	if s.Newest {
		return &s.Before
	}
	return &s.After
}
