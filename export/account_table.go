package export

import "github.com/peerledger/peerledger/ledger"

// accountTable finds accounts by id, faster than a map: half of an id of ours is a hash already. Accounts whose ids
// share the low bits stand behind each other.
type accountTable struct {
	slots []*ledgerAccount // a power of two, at most half of them in use
	used  int
}

const firstSlots = 64

func newAccountTable() accountTable { return accountTable{slots: make([]*ledgerAccount, firstSlots)} }

// find returns the account with an id, nil if there is none.
func (t *accountTable) find(id ledger.ID) *ledgerAccount {
	mask := uint64(len(t.slots) - 1)
	for i := id.Lo & mask; ; i = (i + 1) & mask {
		if account := t.slots[i]; account == nil || account.id == id {
			return account
		}
	}
}

// add adds an account with a new id.
func (t *accountTable) add(account *ledgerAccount) {
	if 2*(t.used+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]*ledgerAccount, 2*len(old))
		for _, a := range old {
			if a != nil {
				t.place(a)
			}
		}
	}
	t.used++
	t.place(account)
}

// place puts an account in the first free slot from its own on.
func (t *accountTable) place(account *ledgerAccount) {
	mask := uint64(len(t.slots) - 1)
	i := account.id.Lo & mask
	for t.slots[i] != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = account
}
