package settlement

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// pauses are the newest rows of pauses that an Engine has read.
type pauses struct {
	mu    sync.Mutex
	known map[pauseKey]pauseState
}

// pauseState is what the newest row says. The zero state is that nothing was read, or is there.
type pauseState struct {
	number uint64
	on     bool
	since  time.Time
	name   uint128.Uint128 // the beginning of the rail's
	read   bool            // all rows there were
	told   bool            // whether it was last told that it is on
}

func newPauses() *pauses { return &pauses{known: make(map[pauseKey]pauseState)} }

func (p *pauses) of(k pauseKey) pauseState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[k]
}

// next is what the newest row is known to be, and how many rows behind it to look for.
func (p *pauses) next(k pauseKey) (newest uint64, ahead uint64) {
	const (
		first = 32 // what an engine that starts has to read is read at once, but for a few
		later = 2
	)
	s := p.of(k)
	if !s.read && s.number == 0 {
		return 0, first
	}
	return s.number, later
}

// learn takes rows in.
func (p *pauses) learn(rows []ledger.Transfer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range rows {
		k := pauseKeyOf(&rows[i])
		s, number := p.known[k], rows[i].UserData64&^(pauseOnBit|pauseAllBit)
		if number <= s.number {
			continue
		}
		s.number, s.on = number, rows[i].UserData64&pauseOnBit != 0
		s.since, s.name = timeOf(rows[i].Timestamp), rows[i].UserData128
		p.known[k] = s
	}
}

// wasRead notes that all rows of these were read, and returns those that have begun or ended
// since that was told.
func (p *pauses) wasRead(keys []pauseKey) (changed []pauseKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		s := p.known[k]
		if s.on != s.told {
			changed = append(changed, k)
		}
		s.read, s.told = true, s.on
		p.known[k] = s
	}
	return changed
}

// inForce are those that hold.
func (p *pauses) inForce() (keys []pauseKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, s := range p.known {
		if s.on {
			keys = append(keys, k)
		}
	}
	return keys
}

// lookUpTransfers looks transfers up, and in the same request, if all fit into one, whether pauses
// have begun or ended.
func (e *Engine) lookUpTransfers(ctx context.Context, keys []pauseKey, ids ...ledger.ID) (found []ledger.Transfer, err error) {
	for more := true; more; {
		more = false
		last := make(map[ledger.ID]bool)
		for _, k := range keys {
			newest, ahead := e.pauses.next(k)
			for n := newest + 1; n <= newest+ahead; n++ {
				ids = append(ids, e.pauseID(k, n))
			}
			last[ids[len(ids)-1]] = true
		}
		// Of many assets and rails they are more than a request takes.
		rows, err := batch.Each(ctx, ids, 1, e.ledger.LookupTransfers)
		if err != nil {
			return nil, err
		}
		var switches []ledger.Transfer
		for _, row := range rows {
			if row.Code == chart.CodePause {
				switches = append(switches, row)
				more = more || last[row.ID]
			} else {
				found = append(found, row)
			}
		}
		e.pauses.learn(switches)
		ids = nil // they were looked up
	}
	for _, k := range e.pauses.wasRead(keys) {
		if now := e.pauses.of(k); now.on {
			e.cfg.Events.Paused(e.pauseOf(k, now))
		} else {
			e.cfg.Events.Resumed(e.pauseOf(k, now))
		}
	}
	return found, nil
}

// pauseKeys are the pauses that an account's payments by a rail keep to.
func pauseKeys(a accounts.PeerAccount, rail uint32) []pauseKey {
	return []pauseKey{{ledger: a.Ledger(), all: true}, {ledger: a.Ledger(), rail: rail}}
}

// pausedFor is the pause that keeps an account from being paid by a rail, as far as this Engine
// has read; nil if there is none.
func (e *Engine) pausedFor(a accounts.PeerAccount, rail uint32) *PauseError {
	for _, k := range pauseKeys(a, rail) {
		if s := e.pauses.of(k); s.on {
			return &PauseError{e.pauseOf(k, s)}
		}
	}
	return nil
}

// pauseOf is a pause as it is shown.
func (e *Engine) pauseOf(k pauseKey, s pauseState) Pause {
	asset, _ := e.book.Asset(k.ledger)
	p := Pause{Asset: asset, All: k.all, Since: s.since}
	if k.all {
		return p
	}
	if r := e.rails[k.rail]; r != nil {
		p.Rail = r.Name
		return p
	}
	var name [16]byte
	s.name.PutBytesBE(name[:])
	p.Rail = strings.ToValidUTF8(strings.TrimRight(string(name[:]), "\x00"), "")
	return p
}

// inForce are the pauses among the newest rows, by their time.
func (e *Engine) inForce(newest map[pauseKey]ledger.Transfer) (list []Pause) {
	for k, row := range newest {
		if row.UserData64&pauseOnBit != 0 {
			list = append(list, e.pauseOf(k, pauseState{since: timeOf(row.Timestamp), name: row.UserData128}))
		}
	}
	slices.SortFunc(list, func(a, b Pause) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Rail, b.Rail))
	})
	return list
}

// seePausesEnd finds out whether the pauses that hold have ended, also if nothing is due.
func (e *Engine) seePausesEnd(ctx context.Context) {
	keys := e.pauses.inForce()
	if len(keys) == 0 {
		return
	}
	if _, err := e.lookUpTransfers(ctx, keys); err != nil && ctx.Err() == nil {
		e.cfg.Events.Failed(wrap("read the pauses", err))
	}
}

// readPauses finds out which pauses hold for these accounts, with one request if all fit into it.
func (e *Engine) readPauses(ctx context.Context, list []accounts.PeerAccount) error {
	var keys []pauseKey
	for _, a := range list {
		if r := e.railOf(a); r != nil {
			for _, k := range pauseKeys(a, r.tag) {
				if !slices.Contains(keys, k) {
					keys = append(keys, k)
				}
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := e.lookUpTransfers(ctx, keys)
	return wrap("read the pauses", err)
}
