package settlement

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Pause is a stop of payments in one asset. It is in the ledger, so every engine in every process obeys it.
type Pause struct {
	Asset accounts.Asset
	// All is true for a stop of all payments in the asset ([Engine.StopPayments]), false for a pause of one rail.
	All bool
	// Rail is the name of the paused rail: "" if All is true, and also for the rail without a name. An engine
	// without the rail reads only the first 16 bytes of the name from the ledger.
	Rail string
	// Since is the ledger's time of the pause.
	Since time.Time
}

// String describes the pause as in "rail \"bank\" is paused in USD/2 since 2026-11-29 10:00:00 UTC".
func (p Pause) String() string {
	since := p.Since.UTC().Format("2006-01-02 15:04:05 MST")
	if p.All {
		return fmt.Sprintf("all payments in %v are stopped since %s", p.Asset, since)
	}
	return fmt.Sprintf("rail %q is paused in %v since %s", p.Rail, p.Asset, since)
}

// PauseError is returned when nothing is paid because of a pause. It matches [ErrPaused].
type PauseError struct{ Pause Pause }

func (e *PauseError) Error() string { return fmt.Sprintf("%v: %v", ErrPaused, e.Pause) }

// Is reports whether target is [ErrPaused].
func (e *PauseError) Is(target error) bool { return target == ErrPaused }

// PauseRail keeps all engines on the ledger from paying by the rail of a name, in all assets of the book, until
// [Engine.ResumeRail]. The rail need not be one of this Engine. The pause is in the ledger, so it holds for engines
// in other processes, and for engines that start later.
//
// From then on nothing is ordered for the rail. An order that no rail was asked for is given back, or waits if it
// has been approved. An order that a rail may have been asked for goes on under its key, since only the rail knows
// whether the key was paid: the rail is called again, and its answer is booked. So PauseRail does not stop a
// payment that the rail already has.
//
// A running engine reads the pause before its next order or payment. Repeating PauseRail changes nothing. The
// errors are [accounts.ErrNotProvisioned] if an asset has no accounts yet, and the errors of requests. After an error
// some assets may be paused, and PauseRail may be called again. [ErrEngineClosed] is returned after [Engine.Close].
func (e *Engine) PauseRail(ctx context.Context, name string) error {
	return e.writePauses(ctx, pauseKey{rail: railTag(e.ns, name)}, name, true)
}

// ResumeRail ends [Engine.PauseRail]. A running engine notices within [Config.SweepInterval]. ResumeRail returns the
// errors of PauseRail.
func (e *Engine) ResumeRail(ctx context.Context, name string) error {
	return e.writePauses(ctx, pauseKey{rail: railTag(e.ns, name)}, name, false)
}

// StopPayments is [Engine.PauseRail] for all payments by all rails. It is separate from pauses of rails: ResumeRail
// does not end it, and StartPayments does not end a pause of a rail.
func (e *Engine) StopPayments(ctx context.Context) error {
	return e.writePauses(ctx, pauseKey{all: true}, "", true)
}

// StartPayments ends [Engine.StopPayments]. Paused rails stay paused.
func (e *Engine) StartPayments(ctx context.Context) error {
	return e.writePauses(ctx, pauseKey{all: true}, "", false)
}

// Pauses reads the active pauses from the ledger, asset by asset, ordered by time.
func (e *Engine) Pauses(ctx context.Context) ([]Pause, error) {
	return e.readActivePauses(ctx, func(pauseKey) bool { return true })
}

// PausesOf is [Engine.Pauses] for the rail of a name. It tells rails apart by a hash of the whole name, where
// Pause.Rail may have only 16 bytes.
func (e *Engine) PausesOf(ctx context.Context, name string) ([]Pause, error) {
	tag := railTag(e.ns, name)
	list, err := e.readActivePauses(ctx, func(k pauseKey) bool { return !k.all && k.rail == tag })
	for i := range list {
		list[i].Rail = name
	}
	return list, err
}

// readActivePauses reads the selected pauses that are active.
func (e *Engine) readActivePauses(ctx context.Context, selects func(pauseKey) bool) (list []Pause, err error) {
	for _, asset := range e.book.Assets() {
		newest := make(map[pauseKey]ledger.Transfer)
		assetIDs, _ := e.book.AssetIDs(asset.Ledger)
		filter := ledger.AccountFilter{
			AccountID: assetIDs.Control, Code: chart.CodePause, Limit: pausePage, Flags: ledger.AccountFilterCredits,
		}
		for {
			rows, err := e.ledger.GetAccountTransfers(ctx, filter)
			if err != nil {
				return nil, wrap("read the pauses", err)
			}
			for _, row := range rows {
				if k := pauseKeyOf(&row); selects(k) {
					newest[k] = row
				}
			}
			if len(rows) < pausePage {
				break
			}
			filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
		}
		list = append(list, e.listActivePauses(newest)...)
	}
	return list, nil
}

// writePauses writes a pause, or its end, in all assets.
func (e *Engine) writePauses(ctx context.Context, key pauseKey, name string, active bool) error {
	if !e.acquireCall() {
		return ErrEngineClosed
	}
	defer e.wg.Done()
	var errs []error
	for _, asset := range e.book.Assets() {
		key.ledger = asset.Ledger
		if err := e.writePauseInAsset(ctx, key, name, active); err != nil {
			errs = append(errs, fmt.Errorf("pauses in %v: %w", asset, err))
		}
	}
	e.wakeLoop()
	return errors.Join(errs...)
}

func (e *Engine) writePauseInAsset(ctx context.Context, key pauseKey, name string, active bool) error {
	assetIDs, _ := e.book.AssetIDs(key.ledger)
	found, err := e.ledger.LookupAccounts(ctx, []ledger.ID{assetIDs.Outside, assetIDs.Control})
	switch {
	case err != nil:
		return err
	case len(found) < 2:
		return accounts.ErrNotProvisioned
	}
	for {
		if _, err := e.lookUpWithPauses(ctx, []pauseKey{key}); err != nil {
			return err
		}
		state := e.pauses.stateOf(key)
		if state.active == active {
			return nil
		}
		_, err := sequence.Place(ctx, e.ledger, state.number+1, func(n uint64) ledger.Transfer {
			return e.pauseRow(key, name, n, active)
		})
		if err == nil || errors.Is(err, sequence.ErrTaken) {
			continue // reads the row, also for its time
		}
		return err
	}
}

// A pause and its end are rows without an amount between two accounts of the asset, numbered for each rail and for
// all payments: the newest row has the state. The ids follow from the numbers, so an engine that knows the newest
// row looks up the next numbers in a request that looks up transfers anyway, and needs no query.

// pauseKey identifies a series of pause rows.
type pauseKey struct {
	ledger uint32 // of the asset
	all    bool
	rail   uint32 // tag of the rail; 0 if all
}

// The user_data_64 of a pause row has the number in the low bits, bit 62 for a pause of all payments, and bit 63 for
// a beginning. user_data_32 is the tag of the rail, user_data_128 the first 16 bytes of its name.
const (
	pauseOnBit  = 1 << 63
	pauseAllBit = 1 << 62
)

// pausePage is the number of rows of a request.
const pausePage = 1000

func (e *Engine) pauseID(k pauseKey, number uint64) ledger.ID {
	kind := "pause of a rail"
	if k.all {
		kind = "pause of all"
	}
	return e.ns.Derive(kind, chart.U32(k.ledger), chart.U32(k.rail), chart.U64(number))
}

func (e *Engine) pauseRow(k pauseKey, name string, number uint64, active bool) ledger.Transfer {
	assetIDs, _ := e.book.AssetIDs(k.ledger)
	row := ledger.Transfer{
		ID: e.pauseID(k, number), DebitAccountID: assetIDs.Outside, CreditAccountID: assetIDs.Control,
		UserData128: encodeRailName(name), UserData64: number, UserData32: k.rail, Ledger: k.ledger, Code: chart.CodePause,
	}
	if k.all {
		row.UserData64 |= pauseAllBit
	}
	if active {
		row.UserData64 |= pauseOnBit
	}
	return row
}

func pauseKeyOf(row *ledger.Transfer) pauseKey {
	return pauseKey{ledger: row.Ledger, all: row.UserData64&pauseAllBit != 0, rail: row.UserData32}
}

func encodeRailName(name string) uint128.Uint128 {
	var b [16]byte
	copy(b[:], name)
	return uint128.FromBytesBE(b[:])
}
