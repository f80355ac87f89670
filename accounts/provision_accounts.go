package accounts

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// expectedAccount is a ledger account in its provisioned form, with its owner.
type expectedAccount struct {
	record ledger.Account
	owner  PeerAccount
	kind   string // for [Drift]
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

// peerAccounts returns the four accounts of a peer: peer, line, settlement, arrears.
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

// createAccounts creates the missing accounts. created has the accounts created by this call, and
// drifts the differences of the existing ones.
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

// findDrift looks accounts up, and returns the differences of the existing ones.
func (b *Book) findDrift(ctx context.Context, expected []expectedAccount) ([]Drift, error) {
	ids := make([]ledger.ID, len(expected))
	for i, expected := range expected {
		ids[i] = expected.record.ID
	}
	stored, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return nil, fmt.Errorf("look up differing accounts: %w", err)
	}
	var drifts []Drift
	for _, expected := range expected {
		if got, exists := stored[expected.record.ID]; exists {
			drifts = append(drifts, compareAccount(expected, &got)...)
		}
	}
	return drifts, nil
}

// lookupIDs looks accounts up; each group of ids is read in one request.
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

// compareAccount returns the differing fields. The closed flag is state, not set-up: closing is
// no drift. Neither is the imported flag of an account moved here from a different ledger.
func compareAccount(expected expectedAccount, got *ledger.Account) []Drift {
	var drifts []Drift
	check := func(field string, isSame bool, want, got any) {
		if !isSame {
			drifts = append(drifts, Drift{
				Account: expected.owner, AccountKind: expected.kind, Field: field, Want: fmt.Sprint(want), Got: fmt.Sprint(got),
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
