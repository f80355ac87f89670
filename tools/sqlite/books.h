// Double entry on SQLite: two-phase transfers between accounts with limits, in C.
#ifndef BOOKS_H
#define BOOKS_H

#include <stdint.h>

typedef struct {
	uint64_t lo, hi;
} id128;

// transfer has the layout of the Go type ledger.Transfer. Amounts are below 2^62.
typedef struct {
	id128 id, debit, credit, amount, pending, user_data_128;
	uint64_t user_data_64;
	uint32_t user_data_32, timeout, ledger;
	uint16_t code, flags;
	uint64_t timestamp;
} transfer;

enum { LINKED = 1, PENDING = 2, POST = 4 };

// The answers to a transfer.
enum { CREATED = 0, LINKED_FAILED, EXCEEDS_CREDITS, NO_HOLD, NO_ACCOUNT };

typedef struct books books;

// books_open opens or creates a database, and runs the pragmas. The other functions return an error
// of SQLite, or 0.
int books_open(const char *path, const char *pragmas, const char *indexes, books **out);
int books_add_account(books *b, id128 id, int limited, int64_t credits);

// books_apply runs the transfers of a batch as one transaction. Each chain is applied or refused as a
// whole, and each touched account is written once.
int books_apply(books *b, transfer *events, int n, uint64_t now, uint32_t *answers);

// books_read reads the row of an account: debits pending, credits pending, debits posted, credits
// posted.
int books_read(books *b, id128 id, int64_t balances[4]);
int books_count(books *b, int64_t *transfers, int64_t *holds);
const char *books_error(books *b);
int books_close(books *b);

#endif
