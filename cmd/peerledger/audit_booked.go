package main

import (
	"context"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
)

// The values of the column booked.
const (
	bookedYes     = "yes"
	bookedNo      = "no"
	bookedUnknown = "unknown"
)

// maxKeyLookUps bounds the acts that are looked up by their keys, one after the other. Such an act has a key and no transfer: its
// outcome is unknown, or it failed.
const maxKeyLookUps = 1000

// lookUpBooked returns, for each act, whether the ledger has its change. Transfers are looked up together.
func (s *session) lookUpBooked(ctx context.Context, entries []operatorlog.Entry) ([]string, error) {
	booked := make([]string, len(entries))
	var ids []ledger.ID
	for i := range entries {
		booked[i] = bookedUnknown
		if id, ok := parseTransfer(&entries[i]); ok {
			ids = append(ids, id)
		}
	}
	rows, err := batch.Each(ctx, ids, 1, s.ledger.LookupTransfers)
	if err != nil {
		return nil, err
	}
	found := map[ledger.ID]bool{}
	for i := range rows {
		found[rows[i].ID] = true
	}
	lookUps := 0
	for i := range entries {
		e := &entries[i]
		switch id, ok := parseTransfer(e); {
		case ok && found[id]:
			booked[i] = bookedYes
		case ok:
			booked[i] = bookedNo
		case e.Outcome == operatorlog.Refused:
			booked[i] = bookedNo
		case e.Key != "" && lookUps < maxKeyLookUps:
			lookUps++
			if booked[i], err = s.lookUpKey(ctx, e); err != nil {
				return nil, err
			}
		}
	}
	return booked, nil
}

// parseTransfer returns the transfer of an act. A refused act has none: an announcement that it names is an earlier act's.
func parseTransfer(e *operatorlog.Entry) (ledger.ID, bool) {
	if e.Transfer == "" || e.Outcome == operatorlog.Refused {
		return ledger.ID{}, false
	}
	id, err := ledger.ParseID(e.Transfer)
	return id, err == nil && !id.IsZero()
}

// lookUpKey returns whether the ledger has the booking of an act under its key. The key of an act of another kind is unknown: the
// ledger finds payments and adjustments of peers by their keys.
func (s *session) lookUpKey(ctx context.Context, e *operatorlog.Entry) (string, error) {
	kind := accounts.FoundPayment
	switch {
	case e.Peer == "" || accounts.CheckKey("act", "key", e.Key) != nil:
		return bookedUnknown, nil
	case strings.Contains(e.Action, "by hand"), strings.Contains(e.Action, "write off"):
		kind = accounts.FoundAdjustment
	case !strings.HasPrefix(e.Action, "book a"):
		return bookedUnknown, nil
	}
	account, asset, err := s.makeAccount(e.Peer, e.Asset)
	if err != nil {
		return bookedUnknown, nil //nolint:nilerr // the configuration has the asset no more
	}
	result, err := s.book.Find(ctx, accounts.FindQuery{Key: e.Key, Peers: []accounts.PeerAccount{account}})
	if err != nil {
		return "", err
	}
	matches, others := 0, 0
	for i := range result.Found {
		switch f := &result.Found[i]; {
		case f.Kind != kind:
		case kind == accounts.FoundAdjustment || asset.Format(f.In) == e.Amount:
			matches++
		default:
			others++
		}
	}
	switch {
	case matches == 1 && others == 0:
		return bookedYes, nil
	case matches == 0 && others == 0:
		return bookedNo, nil
	default: // under this key other amounts are booked, or a payment in each direction
		return bookedUnknown, nil
	}
}
