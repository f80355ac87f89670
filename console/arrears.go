package console

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

const (
	// maxDated is how many peers that are in arrears since the last look a look dates: each takes requests of
	// its own. The others are dated by the next looks.
	maxDated = 100
	// memory is the longest time between two looks after which arrears count as the same. Looks are taken only
	// while pages ask: in a longer time arrears may have been collected and have come back.
	memory = time.Minute
)

// noteArrears dates the arrears of a look, and forgets peers without arrears. A time that cannot be read stays
// unknown until the next look: the figures do not depend on it.
func (l *looker) noteArrears(ctx context.Context, k *look) {
	if k.at.Sub(l.lookedAt) > memory {
		clear(l.inArrears)
	}
	l.lookedAt = k.at
	found := make(map[accounts.PeerAccount]time.Time)
	var fresh []accounts.PeerAccount
	for _, p := range k.peers {
		if p.Balance.Arrears.IsZero() || !p.Known() {
			continue
		}
		if since, seen := l.inArrears[p.Account]; seen {
			found[p.Account] = since
		} else {
			fresh = append(fresh, p.Account)
		}
	}
	l.dateArrears(ctx, fresh, found)
	for _, p := range k.peers {
		p.arrearsSince = found[p.Account]
	}
	l.inArrears = found
}

// dateArrears adds to found since when peers are in arrears, in at most a quarter of a look's time. A peer with long
// arrears may take all of that, so each look begins with another peer.
func (l *looker) dateArrears(ctx context.Context, fresh []accounts.PeerAccount, found map[accounts.PeerAccount]time.Time) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout/4)
	defer cancel()
	for i := 0; i < min(len(fresh), maxDated) && ctx.Err() == nil; i++ {
		account := fresh[(l.dated+i)%len(fresh)]
		standings, err := l.cfg.Book.Standings(ctx, account)
		if err == nil && !standings[0].ArrearsSince.IsZero() { // else unknown, or collected meanwhile
			found[account] = standings[0].ArrearsSince
		}
	}
	l.dated++
}
