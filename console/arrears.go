package console

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// maxDated is how many peers that are in arrears since the last look a look dates: each takes requests of
// its own. The others are dated by the next looks.
const maxDated = 100

// noteArrears dates the arrears of a look, and forgets peers without arrears. A time that cannot be read stays
// unknown until the next look: the figures do not depend on it.
func (l *looker) noteArrears(ctx context.Context, k *look) {
	found := make(map[accounts.PeerAccount]time.Time)
	var fresh []accounts.PeerAccount
	for _, p := range k.peers {
		if p.Balance.Arrears.IsZero() || !p.Known() {
			continue
		}
		if since, seen := l.inArrears[p.Account]; seen {
			found[p.Account] = since
		} else if len(fresh) < maxDated {
			fresh = append(fresh, p.Account)
		}
	}
	standings, err := l.cfg.Book.Standings(ctx, fresh...)
	for i := 0; err == nil && i < len(standings); i++ {
		if s := standings[i]; !s.ArrearsSince.IsZero() { // else collected meanwhile
			found[s.Balance.Account] = s.ArrearsSince
		}
	}
	for _, p := range k.peers {
		p.arrearsSince = found[p.Account]
	}
	l.inArrears = found
}
