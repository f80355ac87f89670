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

// knownPauses are the newest pause rows that an Engine has read.
type knownPauses struct {
	mu     sync.Mutex
	states map[pauseKey]pauseState
}

// pauseState is the state of the newest row of a pauseKey. The zero state means that no row was read.
type pauseState struct {
	number         uint64
	active         bool
	since          time.Time
	railName       uint128.Uint128 // the first 16 bytes of the name
	complete       bool            // all rows were read
	reportedActive bool            // the state last reported to Events
	nextIDs        []ledger.ID     // of the numbers to look up next; nil: to be derived
}

func newKnownPauses() *knownPauses { return &knownPauses{states: make(map[pauseKey]pauseState)} }

func (p *knownPauses) stateOf(k pauseKey) pauseState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[k]
}

// nextIDs returns the ids of the numbers after the newest row, as many as to look up.
func (p *knownPauses) nextIDs(k pauseKey, derive func(number uint64) ledger.ID) []ledger.ID {
	const (
		first = 32 // a new engine reads almost every history in one request
		later = 2
	)
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.states[k]
	if s.nextIDs != nil {
		return s.nextIDs
	}
	ahead := uint64(later)
	if !s.complete && s.number == 0 {
		ahead = first
	}
	for n := s.number + 1; n <= s.number+ahead; n++ {
		s.nextIDs = append(s.nextIDs, derive(n))
	}
	p.states[k] = s
	return s.nextIDs
}

// addRows updates the states with rows.
func (p *knownPauses) addRows(rows []ledger.Transfer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range rows {
		k := pauseKeyOf(&rows[i])
		s, number := p.states[k], rows[i].UserData64&^(pauseOnBit|pauseAllBit)
		if number <= s.number {
			continue
		}
		s.number, s.active, s.nextIDs = number, rows[i].UserData64&pauseOnBit != 0, nil
		s.since, s.railName = timeOf(rows[i].Timestamp), rows[i].UserData128
		p.states[k] = s
	}
}

// markComplete notes that all rows of keys were read, and returns the keys with a state that was not reported.
func (p *knownPauses) markComplete(keys []pauseKey) (changed []pauseKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		s := p.states[k]
		if s.complete && s.active == s.reportedActive {
			continue
		}
		if s.active != s.reportedActive {
			changed = append(changed, k)
		}
		if !s.complete {
			s.nextIDs = nil // fewer from now on
		}
		s.complete, s.reportedActive = true, s.active
		p.states[k] = s
	}
	return changed
}

// activeKeys returns the keys of the active pauses.
func (p *knownPauses) activeKeys() (keys []pauseKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, s := range p.states {
		if s.active {
			keys = append(keys, k)
		}
	}
	return keys
}

// lookUpWithPauses looks transfers up together with the next pause rows of keys, in one request if all ids fit, and
// reports pauses that began or ended.
func (e *Engine) lookUpWithPauses(ctx context.Context, keys []pauseKey, ids ...ledger.ID) (found []ledger.Transfer, err error) {
	for incomplete := true; incomplete; {
		incomplete = false
		last := make([]ledger.ID, 0, 2) // of each key
		ids = slices.Grow(ids, 2*len(keys))
		for _, k := range keys {
			ids = append(ids, e.pauses.nextIDs(k, func(n uint64) ledger.ID { return e.pauseID(k, n) })...)
			last = append(last, ids[len(ids)-1])
		}
		// The ids of many assets and rails exceed one request.
		rows, err := batch.Each(ctx, ids, 1, e.ledger.LookupTransfers)
		if err != nil {
			return nil, err
		}
		var pauseRows []ledger.Transfer
		others := rows[:0] // the answer is ours
		for i := range rows {
			if rows[i].Code == chart.CodePause {
				pauseRows = append(pauseRows, rows[i])
				incomplete = incomplete || slices.Contains(last, rows[i].ID)
			} else {
				others = append(others, rows[i])
			}
		}
		e.pauses.addRows(pauseRows)
		if found == nil {
			found = others
		} // the next requests are for pauses alone
		ids = nil // looked up
	}
	for _, k := range e.pauses.markComplete(keys) {
		if state := e.pauses.stateOf(k); state.active {
			e.cfg.Events.Paused(e.newPause(k, state))
		} else {
			e.cfg.Events.Resumed(e.newPause(k, state))
		}
	}
	return found, nil
}

// pauseKeysFor returns the keys of the pauses that stop an account's payments by a rail.
func pauseKeysFor(a accounts.PeerAccount, rail uint32) []pauseKey {
	return []pauseKey{{ledger: a.Ledger(), all: true}, {ledger: a.Ledger(), rail: rail}}
}

// activePause returns the known pause that stops an account's payments by a rail; nil if there is none.
func (e *Engine) activePause(a accounts.PeerAccount, rail uint32) *PauseError {
	for _, k := range pauseKeysFor(a, rail) {
		if s := e.pauses.stateOf(k); s.active {
			return &PauseError{e.newPause(k, s)}
		}
	}
	return nil
}

// newPause builds the public form of a pause.
func (e *Engine) newPause(k pauseKey, s pauseState) Pause {
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
	s.railName.PutBytesBE(name[:])
	p.Rail = strings.ToValidUTF8(strings.TrimRight(string(name[:]), "\x00"), "")
	return p
}

// listActivePauses returns the active pauses among the newest rows, ordered by time.
func (e *Engine) listActivePauses(newest map[pauseKey]ledger.Transfer) (list []Pause) {
	for k, row := range newest {
		if row.UserData64&pauseOnBit != 0 {
			list = append(list, e.newPause(k, pauseState{since: timeOf(row.Timestamp), railName: row.UserData128}))
		}
	}
	slices.SortFunc(list, func(a, b Pause) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Rail, b.Rail))
	})
	return list
}

// refreshActivePauses reads whether the active pauses have ended, also if nothing is due.
func (e *Engine) refreshActivePauses(ctx context.Context) {
	keys := e.pauses.activeKeys()
	if len(keys) == 0 {
		return
	}
	if _, err := e.lookUpWithPauses(ctx, keys); err != nil && ctx.Err() == nil {
		e.cfg.Events.Failed(wrap("read the pauses", err))
	}
}

// refreshPauses reads the pauses of accounts, in one request if all ids fit.
func (e *Engine) refreshPauses(ctx context.Context, due []dueAccount) error {
	var keys []pauseKey
	for _, d := range due {
		if r := e.railOf(d.account); r != nil {
			for _, k := range pauseKeysFor(d.account, r.tag) {
				if !slices.Contains(keys, k) {
					keys = append(keys, k)
				}
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := e.lookUpWithPauses(ctx, keys)
	return wrap("read the pauses", err)
}
