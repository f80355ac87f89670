// Package journal writes exports as journals of hledger, ledger and beancount 2 and 3, which open them
// without a lost unit and check every balance themselves.
//
// Debits are positive, as in these programs. A peer's account is Liabilities:Peer:ID: below 0 we owe the
// peer. Each asset has a commodity of its own, named by code and scale, and each amount has all decimals
// of the scale. docs/accounting.md has the chart of accounts.
package journal
