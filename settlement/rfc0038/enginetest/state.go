package enginetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// The kinds of entries in the log of a store.
const (
	entryStore    = 1 // a new store
	entryCreated  = 2 // an account was created
	entryDeleted  = 3 // an account was deleted
	entryAccepted = 4 // a settlement was taken over
	entryPaid     = 5 // the payment of a settlement was made
	entryReport   = 6 // the amount of a report is fixed
	entryReported = 7 // a report has ended
)

// entry is one change of a state. A state is the result of its entries.
type entry struct {
	ID      string            `json:"id,omitempty"` // of the store, or of a payment on the rail
	Account string            `json:"account,omitempty"`
	Key     string            `json:"key,omitempty"`
	Value   *rfc0038.Quantity `json:"value,omitempty"` // of a settlement or a report; of an ended report the amount that was not taken
	Units   *big.Int          `json:"units,omitempty"` // to pay for a settlement
	Rest    *rfc0038.Quantity `json:"rest,omitempty"`  // of the account after the settlement
}

// state is all that an engine knows. Engine.mu protects it.
type state struct {
	id       string // of this store: payments of another store are other payments
	accounts map[string]*account
	reports  map[string]rfc0038.Quantity // fixed amounts by payment id
	reported map[string]bool             // ended reports by payment id
}

type account struct {
	live        bool         // created and not deleted; keys and queue survive a deletion
	place       wal.Position // of the last creation or deletion in the log
	rest        rfc0038.Quantity
	aside       rfc0038.Quantity // reported amounts that the connector did not take
	settlements map[string]*settled
	unpaid      []*settled
}

// settled is a settlement that was taken over.
type settled struct {
	key   string
	value rfc0038.Quantity
	units *big.Int
	place wal.Position // of the entry in the log
}

func newState() *state {
	return &state{accounts: map[string]*account{}, reports: map[string]rfc0038.Quantity{}, reported: map[string]bool{}}
}

// findAccount returns an account, a new one if it is missing.
func (s *state) findAccount(id string) *account {
	a := s.accounts[id]
	if a == nil {
		a = &account{settlements: map[string]*settled{}}
		s.accounts[id] = a
	}
	return a
}

// apply changes the state by one entry.
func (s *state) apply(kind uint8, e entry) {
	switch kind {
	case entryStore:
		s.id = e.ID
	case entryCreated:
		s.findAccount(e.Account).live = true
	case entryDeleted:
		s.findAccount(e.Account).live = false
	case entryAccepted:
		a := s.findAccount(e.Account)
		a.rest = *e.Rest
		done := &settled{key: e.Key, value: *e.Value, units: e.Units}
		a.settlements[e.Key] = done
		if e.Units.Sign() > 0 {
			a.unpaid = append(a.unpaid, done)
		}
	case entryPaid:
		// Settlements are paid in their order, so this one is the oldest.
		a := s.findAccount(e.Account)
		if len(a.unpaid) > 0 && a.unpaid[0].key == e.Key {
			a.unpaid = a.unpaid[1:]
		}
	case entryReport:
		s.reports[e.ID] = *e.Value
		s.findAccount(e.Account).aside = rfc0038.Quantity{}
	case entryReported:
		delete(s.reports, e.ID)
		s.reported[e.ID] = true
		if e.Value != nil {
			a := s.findAccount(e.Account)
			a.aside = addQuantities(a.aside, *e.Value)
		}
	}
}

// store is a state and its log on disk.
type store struct {
	*state
	log *wal.Log // nil in memory
}

// openStore adds the store in a folder to a state. The folder "" is a store in memory.
func openStore(folder string, kept *state) (*store, error) {
	s := &store{state: kept}
	if folder != "" {
		log, _, err := wal.OpenFormat(folder, wal.Format{Name: "engine", Newest: 1}, func(r wal.Record) error {
			var e entry
			if err := json.Unmarshal(r.Data, &e); err != nil {
				return fmt.Errorf("enginetest: entry of kind %d: %w", r.Kind, err)
			}
			s.apply(r.Kind, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
		s.log = log
	}
	if s.id == "" {
		s.write(entryStore, entry{ID: rand.Text()})
	}
	return s, nil
}

// write changes the state and appends the entry to the log. The caller holds Engine.mu, and waits
// for the returned position without it.
func (s *store) write(kind uint8, e entry) wal.Position {
	s.apply(kind, e)
	if s.log == nil {
		return 0
	}
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // an entry has only values that marshal
	}
	return s.log.Append(kind, len(data), func(to []byte) []byte { return append(to, data...) })
}

// wait returns when the entries up to a position are on disk.
func (s *store) wait(ctx context.Context, at wal.Position) error {
	if s.log == nil {
		return nil
	}
	return s.log.Wait(ctx, at)
}

func (s *store) close() error {
	if s.log == nil {
		return nil
	}
	return s.log.Close()
}

// addQuantities returns the sum, at the larger scale of the two.
func addQuantities(a, b rfc0038.Quantity) rfc0038.Quantity {
	scale := max(a.Scale, b.Scale)
	x, _ := a.Split(scale)
	y, _ := b.Split(scale)
	return rfc0038.Quantity{Amount: x.Add(x, y), Scale: scale}
}

// subtractQuantities returns a - b, or 0 if b is larger.
func subtractQuantities(a, b rfc0038.Quantity) rfc0038.Quantity {
	scale := max(a.Scale, b.Scale)
	x, _ := a.Split(scale)
	y, _ := b.Split(scale)
	if x.Sub(x, y); x.Sign() < 0 {
		x.SetInt64(0)
	}
	return rfc0038.Quantity{Amount: x, Scale: scale}
}

// shortenQuantity returns the same value at the smallest scale.
func shortenQuantity(q rfc0038.Quantity) rfc0038.Quantity {
	for q.Scale > 0 {
		units, rest := q.Split(q.Scale - 1)
		if !rest.IsZero() {
			break
		}
		q = rfc0038.Quantity{Amount: units, Scale: q.Scale - 1}
	}
	return q
}
