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

// Pause is a stop of payments that is in the ledger, so that every engine keeps to it, in
// whatever process. It is one for each asset.
type Pause struct {
	Asset accounts.Asset
	// All says that it is of all payments in the asset (StopPayments), not of one rail.
	All bool
	// Rail is the name of the rail that is paused: "" if All, and also for the rail without
	// a name. Read from the ledger by an engine that does not have the rail, it is the first
	// 16 bytes of the name.
	Rail string
	// Since is the ledger's time of the pause.
	Since time.Time
}

// String is the pause as in "rail \"bank\" is paused in USD/2 since 2026-11-29 10:00:00 UTC".
func (p Pause) String() string {
	since := p.Since.UTC().Format("2006-01-02 15:04:05 MST")
	if p.All {
		return fmt.Sprintf("all payments in %v are stopped since %s", p.Asset, since)
	}
	return fmt.Sprintf("rail %q is paused in %v since %s", p.Rail, p.Asset, since)
}

// PauseError says that nothing is paid because payments are paused. It matches ErrPaused.
type PauseError struct{ Pause Pause }

func (e *PauseError) Error() string { return fmt.Sprintf("%v: %v", ErrPaused, e.Pause) }

// Is reports whether target is ErrPaused.
func (e *PauseError) Is(target error) bool { return target == ErrPaused }

// PauseRail keeps all engines on the ledger from paying by the rail of this name, in all assets
// of the book, until ResumeRail. The rail need not be one of this Engine. It is in the ledger,
// so it holds for engines in other processes, and for those that start later.
//
// From then on nothing is ordered for the rail, and an order that no rail was asked for is given
// back, or waits if it has been approved. An order that a rail may have been asked for goes on
// under its key, since only the rail knows whether it was paid: it is called again, and what it
// says is booked. So PauseRail does not stop a payment that is with the rail.
//
// An engine that runs finds out before it orders or pays next. Repeated, it changes nothing. The
// errors are accounts.ErrNotProvisioned if an asset has no accounts yet, and those of a request:
// after any of them some assets may be paused, and it may be called again. ErrEngineClosed after
// Close.
func (e *Engine) PauseRail(ctx context.Context, name string) error {
	return e.writePauses(ctx, pauseKey{rail: railTag(e.ns, name)}, name, true)
}

// ResumeRail ends PauseRail. An engine that runs finds out within Config.SweepInterval. The errors are
// those of PauseRail.
func (e *Engine) ResumeRail(ctx context.Context, name string) error {
	return e.writePauses(ctx, pauseKey{rail: railTag(e.ns, name)}, name, false)
}

// StopPayments is PauseRail for all payments, whatever the rail. It does not end with
// ResumeRail, nor pauses of rails with StartPayments.
func (e *Engine) StopPayments(ctx context.Context) error {
	return e.writePauses(ctx, pauseKey{all: true}, "", true)
}

// StartPayments ends StopPayments. Rails that were paused stay so.
func (e *Engine) StartPayments(ctx context.Context) error {
	return e.writePauses(ctx, pauseKey{all: true}, "", false)
}

// Pauses reads the pauses that are in force from the ledger, asset by asset, each by its time.
func (e *Engine) Pauses(ctx context.Context) ([]Pause, error) {
	return e.readActivePauses(ctx, func(pauseKey) bool { return true })
}

// PausesOf is Pauses for those of the rail of this name alone: the ledger tells it from one
// whose name begins with the same 16 bytes, which Pause.Rail may not.
func (e *Engine) PausesOf(ctx context.Context, name string) ([]Pause, error) {
	tag := railTag(e.ns, name)
	list, err := e.readActivePauses(ctx, func(k pauseKey) bool { return !k.all && k.rail == tag })
	for i := range list {
		list[i].Rail = name
	}
	return list, err
}

// readActivePauses reads the pauses that are in force and are asked for.
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
			continue // it is read again, also for its time
		}
		return err
	}
}

// A pause and its end are rows without an amount between two accounts of the asset, numbered for
// each rail and for all payments: the newest one says what holds. Their ids follow from the
// number, so an engine that knows the newest one looks for the next in whatever request looks
// transfers up anyway, and needs no query.

// pauseKey is what is paused.
type pauseKey struct {
	ledger uint32 // of the asset
	all    bool
	rail   uint32 // the tag of the rail; 0 if all
}

// A pause's user_data_64 has its number in the low bits, bit 62 if it is of all payments, and
// bit 63 if it is the beginning, not the end. user_data_32 is the tag of the rail, and
// user_data_128 the first 16 bytes of its name.
const (
	pauseOnBit  = 1 << 63
	pauseAllBit = 1 << 62
)

// pausePage is how many rows are read at once.
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
