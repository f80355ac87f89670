package server

import "strconv"

// Operation is the kind of a request, with TigerBeetle's number.
type Operation uint8

// The operations of clients of release 0.17.
const (
	Register            Operation = 2 // a client's first request: it opens a session
	Noop                Operation = 6 // no published client sends it
	GetChangeEvents     Operation = 137
	LookupAccounts      Operation = 140
	LookupTransfers     Operation = 141
	GetAccountTransfers Operation = 142
	GetAccountBalances  Operation = 143
	QueryAccounts       Operation = 144
	QueryTransfers      Operation = 145
	CreateAccounts      Operation = 146
	CreateTransfers     Operation = 147
)

// The operations of clients of release 0.16. The first eight carry one batch without a trailer; the
// other two answer only the events that were refused.
const (
	createAccountsUnbatched      Operation = 129
	createTransfersUnbatched     Operation = 130
	lookupAccountsUnbatched      Operation = 131
	lookupTransfersUnbatched     Operation = 132
	getAccountTransfersUnbatched Operation = 133
	getAccountBalancesUnbatched  Operation = 134
	queryAccountsUnbatched       Operation = 135
	queryTransfersUnbatched      Operation = 136
	createAccountsSparse         Operation = 138
	createTransfersSparse        Operation = 139
)

// String returns TigerBeetle's name of the operation, for example "create_transfers", or "ping" for
// 0, the operation of a ping's [Message].
func (o Operation) String() string {
	switch o { //nolint:exhaustive // the others have rules
	case 0:
		return "ping"
	case Register:
		return "register"
	case Noop:
		return "noop"
	}
	if rules, known := findRules(o); known {
		return rules.name
	}
	return "operation(" + strconv.Itoa(int(o)) + ")"
}

// Sizes of the records on the wire, in bytes.
const (
	rowSize          = 128 // an account, a transfer, an account balance or an account filter
	idSize           = 16
	queryFilterSize  = 64 // also a change events filter
	resultSize       = 16
	sparseResultSize = 8
	changeEventSize  = 384
)

// Offsets of the limit in a filter.
const (
	noFilter            = 0
	limitOfAccount      = 120
	limitOfQuery        = 56
	limitOfChangeEvents = 16
)

// rules are the sizes of an operation's events and results, and its work.
type rules struct {
	name          string
	event, result int  // sizes in bytes
	multiBatch    bool // bodies carry several batches, and a trailer
	limitAt       int  // the offset of the limit in a filter; not 0: a batch is exactly one filter
	run           run
}

// findRules returns the rules of an operation that reads or writes the ledger.
func findRules(o Operation) (r rules, known bool) {
	switch o { //nolint:exhaustive // register and noop concern sessions alone
	case CreateAccounts:
		return rules{"create_accounts", rowSize, resultSize, true, noFilter, runCreateAccounts}, true
	case CreateTransfers:
		return rules{"create_transfers", rowSize, resultSize, true, noFilter, runCreateTransfers}, true
	case LookupAccounts:
		return rules{"lookup_accounts", idSize, rowSize, true, noFilter, runLookupAccounts}, true
	case LookupTransfers:
		return rules{"lookup_transfers", idSize, rowSize, true, noFilter, runLookupTransfers}, true
	case GetAccountTransfers:
		return rules{"get_account_transfers", rowSize, rowSize, true, limitOfAccount, runGetAccountTransfers}, true
	case GetAccountBalances:
		return rules{"get_account_balances", rowSize, rowSize, true, limitOfAccount, runGetAccountBalances}, true
	case QueryAccounts:
		return rules{"query_accounts", queryFilterSize, rowSize, true, limitOfQuery, runQueryAccounts}, true
	case QueryTransfers:
		return rules{"query_transfers", queryFilterSize, rowSize, true, limitOfQuery, runQueryTransfers}, true
	case GetChangeEvents:
		return rules{"get_change_events", queryFilterSize, changeEventSize, false, limitOfChangeEvents, runGetChangeEvents}, true
	default:
		return findOldRules(o)
	}
}

// findOldRules returns the rules of an operation of release 0.16.
func findOldRules(o Operation) (r rules, known bool) {
	switch o { //nolint:exhaustive // the rest is unknown
	case createAccountsSparse:
		return rules{"create_accounts_sparse", rowSize, sparseResultSize, true, noFilter, sparse(runCreateAccounts)}, true
	case createTransfersSparse:
		return rules{"create_transfers_sparse", rowSize, sparseResultSize, true, noFilter, sparse(runCreateTransfers)}, true
	case createAccountsUnbatched:
		return rules{"create_accounts_unbatched", rowSize, sparseResultSize, false, noFilter, sparse(runCreateAccounts)}, true
	case createTransfersUnbatched:
		return rules{"create_transfers_unbatched", rowSize, sparseResultSize, false, noFilter, sparse(runCreateTransfers)}, true
	case lookupAccountsUnbatched:
		return rules{"lookup_accounts_unbatched", idSize, rowSize, false, noFilter, runLookupAccounts}, true
	case lookupTransfersUnbatched:
		return rules{"lookup_transfers_unbatched", idSize, rowSize, false, noFilter, runLookupTransfers}, true
	case getAccountTransfersUnbatched:
		return rules{"get_account_transfers_unbatched", rowSize, rowSize, false, limitOfAccount, runGetAccountTransfers}, true
	case getAccountBalancesUnbatched:
		return rules{"get_account_balances_unbatched", rowSize, rowSize, false, limitOfAccount, runGetAccountBalances}, true
	case queryAccountsUnbatched:
		return rules{"query_accounts_unbatched", queryFilterSize, rowSize, false, limitOfQuery, runQueryAccounts}, true
	case queryTransfersUnbatched:
		return rules{"query_transfers_unbatched", queryFilterSize, rowSize, false, limitOfQuery, runQueryTransfers}, true
	default:
		return rules{}, false
	}
}
