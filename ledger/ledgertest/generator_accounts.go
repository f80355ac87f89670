package ledgertest

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// drawFirstAccounts draws a request of valid accounts, so that transfers have a chance.
func (g *generator) drawFirstAccounts() action {
	request := make(createAccountsAction, 0, 9)
	for range 4 + g.IntN(5) {
		a := g.drawNewAccount()
		request = append(request, a)
		g.accounts = append(g.accounts, a)
	}
	return request
}

// drawNewAccount returns a valid account under a new id, in most cases of ledger 1.
func (g *generator) drawNewAccount() ledger.Account {
	g.lastAccount++
	flags := []ledger.AccountFlags{
		0, 0, 0, ledger.AccountDebitsMustNotExceedCredits, ledger.AccountCreditsMustNotExceedDebits,
	}[g.IntN(5)]
	if g.oneIn(2) {
		flags |= ledger.AccountHistory
	}
	a := ledger.Account{
		ID: ledger.NewID(g.lastAccount, 0), Ledger: 1, Code: uint16(1 + g.IntN(2)), Flags: flags,
		UserData128: uint128.From64(g.drawUserData()), UserData64: g.drawUserData(), UserData32: uint32(g.drawUserData()),
	}
	if g.oneIn(12) {
		a.Ledger++
	}
	return a
}

func (g *generator) drawAccountsRequest() action {
	request := make(createAccountsAction, 1+g.IntN(6))
	for i := range request {
		a := g.drawAccount()
		if g.oneIn(g.linkRate) {
			a.Flags |= ledger.AccountLinked
		}
		if i == len(request)-1 && !g.oneIn(8) {
			a.Flags &^= ledger.AccountLinked
		}
		request[i] = a
		g.accounts = append(g.accounts, a)
	}
	return request
}

// drawAccount returns an account, new or drawn before, often with faults.
func (g *generator) drawAccount() ledger.Account {
	a := g.drawNewAccount()
	if g.oneIn(3) {
		g.lastAccount--
		a = g.accounts[g.IntN(len(g.accounts))]
	}
	if g.importing && !a.Flags.Has(ledger.AccountImported) {
		a.Flags |= ledger.AccountImported
		a.Timestamp = g.drawImportTime(true)
	}
	for g.oneIn(min(g.faultRate/2, 5)) {
		accountFaults[g.IntN(len(accountFaults))](g, &a)
	}
	return a
}

// accountFaults change one field of an account. A fault listed twice is drawn twice as often.
var accountFaults = []func(*generator, *ledger.Account){
	func(_ *generator, a *ledger.Account) { a.ID = ledger.ID{} },
	func(_ *generator, a *ledger.Account) { a.ID = ledger.IDMax },
	func(g *generator, a *ledger.Account) { a.ID = ledger.NewID(1+g.Uint64N(g.lastAccount), 0) },
	func(_ *generator, a *ledger.Account) { a.Reserved = 1 },
	func(g *generator, a *ledger.Account) { a.Flags |= 1 << (6 + g.IntN(10)) },
	func(g *generator, a *ledger.Account) { a.Flags ^= 1 << (1 + g.IntN(3)) },
	func(_ *generator, a *ledger.Account) {
		a.Flags |= ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	},
	func(_ *generator, a *ledger.Account) { a.Flags ^= ledger.AccountClosed },
	func(_ *generator, a *ledger.Account) { a.Flags ^= ledger.AccountImported },
	func(_ *generator, a *ledger.Account) { a.DebitsPending = ledger.NewAmount(1) },
	func(_ *generator, a *ledger.Account) { a.DebitsPosted = ledger.NewAmount(1) },
	func(_ *generator, a *ledger.Account) { a.CreditsPending = ledger.NewAmount(1) },
	func(_ *generator, a *ledger.Account) { a.CreditsPosted = ledger.NewAmount(1) },
	func(_ *generator, a *ledger.Account) { a.Ledger = 0 },
	func(_ *generator, a *ledger.Account) { a.Ledger = 3 - a.Ledger%3 },
	func(_ *generator, a *ledger.Account) { a.Code = 0 },
	func(_ *generator, a *ledger.Account) { a.Code++ },
	func(_ *generator, a *ledger.Account) { a.UserData128 = a.UserData128.AddWrap64(1) },
	func(_ *generator, a *ledger.Account) { a.UserData64++ },
	func(_ *generator, a *ledger.Account) { a.UserData32++ },
	func(g *generator, a *ledger.Account) {
		a.Timestamp = g.drawImportTime(true)
		if !a.Flags.Has(ledger.AccountImported) {
			a.Timestamp |= 1
		}
	},
}
