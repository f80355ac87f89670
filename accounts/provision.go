package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// expectedAccount is a ledger account as it should be, and whose it is.
type expectedAccount struct {
	record ledger.Account
	owner  PeerAccount
	kind   string // for Drift
}

// Provision makes sure that the ledger holds the accounts of our assets and of
// these peers, and grants each peer its credit line. It returns the peers'
// handles, in order.
//
// It is idempotent and may run in any number of processes at once: what is there
// already stays. Thousands of peers take few requests (four accounts and one
// grant a peer, up to 8189 of each kind in a request). A line is granted only
// where none was ever granted before; later changes of it are not undone. No line is
// granted to a peer whose accounts, or whose asset's, are not as they should be: an amount
// of an asset with another scale is another amount.
//
// The ledger has no peer yet under an id that is refused here for its look: one that is not in
// Unicode's normal form C, or begins or ends with white space. See Lookalikes for those that
// differ by case.
//
// Errors: one that matches ErrInvalid or ErrUnknownAsset names the peer and the
// field, and nothing was written; so does a *DriftError (ErrDrift) without handles, for an
// asset that the ledger has with another scale or code, or under another number (CheckAssets). A *DriftError with handles lists
// every field in which the ledger differs, and a *ledger.TransferError names a peer whose grant
// the ledger refused (a closed account, say); with these two the handles are
// returned, and everything else was done. Any other error is that of a request:
// the outcome is as the error says, and Provision may be called again.
func (b *Book) Provision(ctx context.Context, peers ...PeerConfig) ([]PeerAccount, error) {
	handles, lines, err := b.checkPeers(peers)
	if err != nil {
		return nil, err
	}
	if err := b.refuseOtherAssets(ctx, peers, handles, lines); err != nil {
		return nil, err
	}
	if err := b.checkNewIDs(ctx, peers, handles); err != nil {
		return nil, err
	}
	done, err := b.provisionChecked(ctx, peers, handles, lines)
	if !done {
		return nil, err
	}
	b.reportProgress("provision peers", len(handles), len(peers))
	return handles, err
}

// refuseOtherAssets finds the assets that the ledger has otherwise, before anything is
// written. It also says how the accounts of the peers differ that are there already.
func (b *Book) refuseOtherAssets(ctx context.Context, peers []PeerConfig, handles []PeerAccount, lines []ledger.Amount) error {
	rows, err := b.liquidityAccounts(ctx)
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	if !b.hasOtherAssets(rows) {
		return nil
	}
	expected := b.assetAccounts()
	requests := make([]lineRequest, len(peers))
	for i, p := range peers {
		expected = append(expected, b.peerAccounts(p, handles[i])...)
		requests[i] = lineRequest{account: handles[i], want: lines[i]}
	}
	drifts, err := b.findDrift(ctx, expected)
	if err != nil {
		return err
	}
	lineDrifts, err := b.compareLines(ctx, requests)
	drifts = append(append(b.findMovedAssets(rows), drifts...), lineDrifts...)
	return errors.Join(fmt.Errorf("nothing was provisioned: %w", &DriftError{Drifts: drifts}), err)
}

// provisionChecked provisions peers that are checked, in assets that are not known to be otherwise
// in the ledger. done says that the errors are about single peers.
func (b *Book) provisionChecked(ctx context.Context, peers []PeerConfig, handles []PeerAccount, lines []ledger.Amount) (done bool, err error) {
	accounts := b.assetAccounts()
	firstPeer := len(accounts)
	for i, p := range peers {
		accounts = append(accounts, b.peerAccounts(p, handles[i])...)
	}
	created, drifts, err := b.createAccounts(ctx, accounts)
	if err != nil {
		return false, err
	}
	drifted := make(map[PeerAccount]bool, len(drifts)) // of peers, and of ourselves in an asset
	for _, d := range drifts {
		drifted[d.Account] = true
	}
	requests := make([]lineRequest, len(peers))
	for i := range peers {
		own := PeerAccount{id: b.assets[handles[i].ledger].ids.Liquidity, ledger: handles[i].ledger}
		requests[i] = lineRequest{
			account: handles[i], want: lines[i], neverGranted: created[firstPeer+i*accountsPerPeer+1],
			drifted: drifted[handles[i]] || drifted[own],
		}
	}
	lineDrifts, refused, failed := b.grantLines(ctx, requests)
	err = errors.Join(refused, failed)
	if drifts = append(drifts, lineDrifts...); len(drifts) > 0 {
		err = errors.Join(&DriftError{Drifts: drifts}, err)
	}
	return failed == nil, err
}

// checkPeers finds what is wrong with peers before anything is written, and works out their
// handles and the credit lines that they should have.
func (b *Book) checkPeers(peers []PeerConfig) ([]PeerAccount, []ledger.Amount, error) {
	handles := make([]PeerAccount, len(peers))
	lines := make([]ledger.Amount, len(peers))
	seen := make(map[PeerAccount]bool, len(peers))
	for i, p := range peers {
		if err := b.checkConfig(p); err != nil {
			return nil, nil, err
		}
		handles[i] = b.peerHandle(p)
		if seen[handles[i]] {
			return nil, nil, &FieldError{
				Subject: fmt.Sprintf("peer %q in %v", p.ID, p.Asset), Field: "ID", Reason: "is given twice",
			}
		}
		seen[handles[i]] = true
		line, err := b.creditLineFor(p, handles[i])
		if err != nil {
			return nil, nil, err
		}
		lines[i] = line
	}
	return handles, lines, nil
}

// creditLineFor is the credit line that a peer should have: its own, or that of Config.Limits.
func (b *Book) creditLineFor(p PeerConfig, handle PeerAccount) (ledger.Amount, error) {
	if !p.CreditLine.IsZero() {
		return p.CreditLine, b.checkCeiling(handle, p.CreditLine)
	}
	allowed, err := b.EffectiveLimits(handle)
	return allowed.CreditLine, err
}

func (b *Book) assetAccounts() []expectedAccount {
	var expected []expectedAccount
	for _, a := range b.Assets() {
		entry := b.assets[a.Ledger]
		own := PeerAccount{id: entry.ids.Liquidity, ledger: a.Ledger}
		add := func(kind string, code uint16, id ledger.ID) {
			expected = append(expected, expectedAccount{kind: kind, owner: own, record: b.newRecord(id, a, code, 0)})
		}
		add("liquidity", chart.CodeLiquidity, entry.ids.Liquidity)
		add("revenue", chart.CodeRevenue, entry.ids.Revenue)
		add("dust", chart.CodeDust, entry.ids.Dust)
		add("suspense", chart.CodeSuspense, entry.ids.Suspense)
		add("outside", chart.CodeOutside, entry.ids.Outside)
		add("control", chart.CodeControl, entry.ids.Control)
	}
	return expected
}

const accountsPerPeer = 4

// peerAccounts are the four accounts of a peer: peer, line, settlement, arrears.
func (b *Book) peerAccounts(p PeerConfig, handle PeerAccount) []expectedAccount {
	ids := b.PeerIDs(handle)
	expected := []expectedAccount{
		{kind: "peer", owner: handle, record: b.newRecord(ids.Peer, p.Asset, chart.CodePeer, b.flags)},
		{kind: "line", owner: handle, record: b.newRecord(ids.Line, p.Asset, chart.CodeLine, chart.LineFlags)},
		{
			kind: "settlement", owner: handle,
			record: b.newRecord(ids.Settlement, p.Asset, chart.CodeSettlement, chart.SettlementFlags),
		},
		{kind: "arrears", owner: handle, record: b.newRecord(ids.Arrears, p.Asset, chart.CodeArrears, chart.ArrearsFlags)},
	}
	tag := b.namespace.PeerTag(p.ID)
	for i := range expected {
		expected[i].record.UserData128 = tag
	}
	return expected
}

func (b *Book) newRecord(id ledger.ID, asset Asset, code uint16, flags ledger.AccountFlags) ledger.Account {
	return ledger.Account{
		ID: id, Ledger: asset.Ledger, Code: code, Flags: flags,
		UserData32: uint32(asset.Scale), UserData64: b.assets[asset.Ledger].tag,
	}
}

// createAccounts creates what is missing. It says of each account whether this
// call created it, and how those that were there before differ.
func (b *Book) createAccounts(ctx context.Context, expected []expectedAccount) (created []bool, drifts []Drift, err error) {
	records := make([]ledger.Account, len(expected))
	for i, expected := range expected {
		records[i] = expected.record
	}
	results, err := batch.Each(ctx, records, 1, b.ledger.CreateAccounts)
	if err != nil {
		return nil, nil, fmt.Errorf("create accounts: %w", err)
	}
	created = make([]bool, len(expected))
	var differing []expectedAccount
	for i, r := range results {
		switch {
		case r.Status == ledger.AccountCreated:
			created[i] = true
		case r.Status.Conflict():
			differing = append(differing, expected[i])
		case !r.Status.Outcome().Done():
			return nil, nil, fmt.Errorf("%s account of %v: %w",
				expected[i].kind, expected[i].owner, &ledger.AccountError{ID: expected[i].record.ID, Status: r.Status})
		}
	}
	drifts, err = b.findDrift(ctx, differing)
	return created, drifts, err
}

// findDrift looks accounts up, and says how those that are there differ.
func (b *Book) findDrift(ctx context.Context, expected []expectedAccount) ([]Drift, error) {
	ids := make([]ledger.ID, len(expected))
	for i, expected := range expected {
		ids[i] = expected.record.ID
	}
	stored, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return nil, fmt.Errorf("look up what differs: %w", err)
	}
	var drifts []Drift
	for _, expected := range expected {
		if got, exists := stored[expected.record.ID]; exists {
			drifts = append(drifts, compareAccount(expected, &got)...)
		}
	}
	return drifts, nil
}

// lookupIDs looks accounts up; ids in groups of group are read in one request.
func (b *Book) lookupIDs(ctx context.Context, ids []ledger.ID, group int) (map[ledger.ID]ledger.Account, error) {
	found, err := batch.Each(ctx, ids, group, b.ledger.LookupAccounts)
	if err != nil {
		return nil, err
	}
	byID := make(map[ledger.ID]ledger.Account, len(found))
	for _, a := range found {
		byID[a.ID] = a
	}
	return byID, nil
}

// compareAccount lists the fields that differ. The closed bit is state, not set-up: a
// closed peer is not a drifted one. Nor is one that was moved here from another ledger,
// as imported events.
func compareAccount(expected expectedAccount, got *ledger.Account) []Drift {
	var drifts []Drift
	check := func(field string, isSame bool, want, got any) {
		if !isSame {
			drifts = append(drifts, Drift{
				Account: expected.owner, Kind: expected.kind, Field: field, Want: fmt.Sprint(want), Got: fmt.Sprint(got),
			})
		}
	}
	want := &expected.record
	flags := got.Flags &^ (ledger.AccountClosed | ledger.AccountImported)
	check("flags", want.Flags == flags, want.Flags, flags)
	check("peer", want.UserData128 == got.UserData128, want.UserData128, got.UserData128)
	check("asset", want.UserData64 == got.UserData64, fmt.Sprintf("%016x", want.UserData64), fmt.Sprintf("%016x", got.UserData64))
	check("scale", want.UserData32 == got.UserData32, want.UserData32, got.UserData32)
	check("ledger", want.Ledger == got.Ledger, want.Ledger, got.Ledger)
	check("code", want.Code == got.Code, want.Code, got.Code)
	return drifts
}
