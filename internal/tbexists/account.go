package tbexists

import "github.com/peerledger/peerledger/ledger"

// CompareAccount compares an account with the stored one of the same id. Flags include the closed
// bit of now, not of creation. Balances and timestamps are not compared.
func CompareAccount(a, stored *ledger.Account) ledger.CreateAccountStatus {
	switch {
	case a.Flags != stored.Flags:
		return ledger.AccountExistsWithDifferentFlags
	case a.UserData128 != stored.UserData128:
		return ledger.AccountExistsWithDifferentUserData128
	case a.UserData64 != stored.UserData64:
		return ledger.AccountExistsWithDifferentUserData64
	case a.UserData32 != stored.UserData32:
		return ledger.AccountExistsWithDifferentUserData32
	case a.Ledger != stored.Ledger:
		return ledger.AccountExistsWithDifferentLedger
	case a.Code != stored.Code:
		return ledger.AccountExistsWithDifferentCode
	default:
		return ledger.AccountExists
	}
}
