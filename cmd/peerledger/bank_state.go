package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
)

// bankStateFormat is the number of the format of the file.
const bankStateFormat = 1

// bankBooks are the books of all bank accounts: the keys that were booked, and the statements they came from. The file is on disk
// before the ledger is asked to book. After a crash between both, the same import finds its payments known, and books them under
// the same keys.
type bankBooks struct {
	Format   int                       `json:"format"`
	Accounts map[string]*bankfile.Book `json:"accounts"` // by id and currency
}

// lockBankState keeps two imports apart. The lock ends with the process.
func lockBankState(file string) (unlock func() error, err error) {
	lock := flock.New(file + ".lock")
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("bank_state: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("bank_state: another import uses %s: wait until it ends", file)
	}
	return lock.Unlock, nil
}

func readBankState(file string) (bankBooks, error) {
	books := bankBooks{Format: bankStateFormat, Accounts: map[string]*bankfile.Book{}}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return books, nil
	}
	if err != nil {
		return books, fmt.Errorf("bank_state: %w", err)
	}
	if err := json.Unmarshal(text, &books); err != nil {
		return books, fmt.Errorf("bank_state: %s: %w", file, err)
	}
	if books.Format != bankStateFormat || books.Accounts == nil {
		return books, fmt.Errorf("bank_state: %s: format %d is not %d", file, books.Format, bankStateFormat)
	}
	return books, nil
}

// open returns the book of an account, a new one for an account without.
func (b bankBooks) open(account bankfile.Account) *bankfile.Book {
	id := account.ID + " " + account.Currency
	if b.Accounts[id] == nil {
		b.Accounts[id] = &bankfile.Book{}
	}
	return b.Accounts[id]
}

func (b bankBooks) write(file string) error {
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	if err := replaceFile(file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("bank_state: nothing was booked: %w", err)
	}
	return nil
}
