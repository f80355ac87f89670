package main

/*
#cgo CFLAGS: -O2 -Wall
#cgo linux LDFLAGS: -Wl,-unresolved-symbols=ignore-all
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
#include <stdlib.h>
#include "api.h"
#include "books.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	_ "github.com/mattn/go-sqlite3" // links SQLite, which books.c calls

	"github.com/peerledger/peerledger/ledger"
)

// sqliteBooks is double entry on SQLite, in C (books.c). It is not safe for concurrent use.
type sqliteBooks struct {
	books   *C.books
	answers []C.uint32_t
}

var errSQLite = errors.New("sqlite")

// version returns the version of SQLite.
func version() string { return C.GoString(C.sqlite3_libversion()) }

// indexes are by account and time, and by user data, as the ledger's queries need them.
const indexes = `CREATE INDEX IF NOT EXISTS by_debit ON transfers(debit, timestamp);
CREATE INDEX IF NOT EXISTS by_credit ON transfers(credit, timestamp);
CREATE INDEX IF NOT EXISTS by_user_data ON transfers(user_data_64, timestamp);`

// openSQLite opens a database. Every commit is synced.
func openSQLite(path string, pragmas []string, indexed bool) (*sqliteBooks, error) {
	text, also := C.CString(strings.Join(pragmas, ";")), C.CString("")
	if indexed {
		also = C.CString(indexes)
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(also))
	defer C.free(unsafe.Pointer(name))
	b := &sqliteBooks{}
	return b, b.check(C.books_open(name, text, also, &b.books))
}

// check returns the error of a call of SQLite.
func (b *sqliteBooks) check(code C.int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s (%d)", errSQLite, C.GoString(C.books_error(b.books)), code)
}

func idOf(id ledger.ID) C.id128 { return C.id128{lo: C.uint64_t(id.Lo), hi: C.uint64_t(id.Hi)} }

// addAccount creates an account. The debits of a limited one must not exceed its credits.
func (b *sqliteBooks) addAccount(id ledger.ID, limited bool, credits int64) error {
	flag := C.int(0)
	if limited {
		flag = 1
	}
	return b.check(C.books_add_account(b.books, idOf(id), flag, C.int64_t(credits)))
}

// apply runs a batch as one transaction. Every transfer must be created.
func (b *sqliteBooks) apply(events []ledger.Transfer) error {
	if len(events) == 0 {
		return nil
	}
	if len(b.answers) < len(events) {
		b.answers = make([]C.uint32_t, len(events))
	}
	rows := (*C.transfer)(unsafe.Pointer(unsafe.SliceData(events)))
	if err := b.check(C.books_apply(b.books, rows, C.int(len(events)), C.uint64_t(time.Now().UnixNano()), &b.answers[0])); err != nil {
		return err
	}
	for i, answer := range b.answers[:len(events)] {
		if answer != C.CREATED {
			return fmt.Errorf("%w: transfer %v got answer %d", errSQLite, events[i].ID, answer)
		}
	}
	return nil
}

// read returns the balances of an account.
func (b *sqliteBooks) read(id ledger.ID) (balances, error) {
	var rows [4]C.int64_t
	err := b.check(C.books_read(b.books, idOf(id), &rows[0]))
	return balances{int64(rows[0]), int64(rows[1]), int64(rows[2]), int64(rows[3])}, err
}

// count returns the numbers of transfers and of open holds.
func (b *sqliteBooks) count() (transfers, holds int64, err error) {
	var n, open C.int64_t
	err = b.check(C.books_count(b.books, &n, &open))
	return int64(n), int64(open), err
}

func (b *sqliteBooks) close() error {
	if code := C.books_close(b.books); code != 0 {
		return fmt.Errorf("%w: close (%d)", errSQLite, code)
	}
	return nil
}
