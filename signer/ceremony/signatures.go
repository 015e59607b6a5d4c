package ceremony

import "github.com/candor-ota/candor/manifests/event"

// ballots says whose keys count for each role.
func (v *view) ballots() []event.Ballot {
	all := make([]event.Ballot, len(v.roles))
	for i, r := range v.roles {
		all[i] = event.Ballot{Payload: r.payload, Seats: map[string]event.Seat{}}
		for _, t := range r.tables {
			for id, key := range t.keys {
				all[i].Seats[id] = event.Seat{Holder: t.holders[id], Verify: key.Verify}
			}
			for id, key := range t.foreign {
				if _, own := all[i].Seats[id]; !own {
					all[i].Seats[id] = event.Seat{Verify: key.verify, Bare: true}
				}
			}
		}
	}
	return all
}

// Unseen lists those who signed a release without an image of their own.
func (p *Proposal) Unseen() []string {
	names := []string{}
	for _, s := range p.Statements {
		if s.Image == ImageWithout {
			names = append(names, s.Holder)
		}
	}
	return names
}
