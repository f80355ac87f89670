#include "books.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"

// account is a row of the table in memory. A program that owns its database need not read it again.
typedef struct {
	id128 id;
	int row, limited, touched;
	int64_t balances[4]; // debits pending, credits pending, debits posted, credits posted
} account;

enum { DEBITS_PENDING, CREDITS_PENDING, DEBITS_POSTED, CREDITS_POSTED };
enum { ACCOUNTS_MAX = 1 << 16 };

struct books {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *insert, *take_hold, *find_hold, *update, *insert_account;
	account *table[ACCOUNTS_MAX]; // by hash of the id; open addressing
	account *rows[ACCOUNTS_MAX];  // by row
	int count;
	int touched[ACCOUNTS_MAX], touched_count; // rows
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS accounts(row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, limited INTEGER NOT NULL,"
	" debits_pending INTEGER NOT NULL, credits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL,"
	" credits_posted INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS transfers(id BLOB PRIMARY KEY, debit INTEGER NOT NULL, credit INTEGER NOT NULL,"
	" amount INTEGER NOT NULL, pending BLOB, user_data_128 BLOB, user_data_64 INTEGER, user_data_32 INTEGER,"
	" timeout INTEGER, ledger INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" timestamp INTEGER NOT NULL, held INTEGER NOT NULL) WITHOUT ROWID;"; // held: 1 until the hold is posted

// key_of writes an id in the order of its number.
static void key_of(id128 id, uint64_t key[2]) {
	key[0] = __builtin_bswap64(id.hi);
	key[1] = __builtin_bswap64(id.lo);
}

static account **slot_of(books *b, id128 id) {
	uint64_t i = (id.lo ^ id.hi) * 0x9e3779b97f4a7c15ull >> 48;
	while (b->table[i] && (b->table[i]->id.lo != id.lo || b->table[i]->id.hi != id.hi)) i = (i + 1) % ACCOUNTS_MAX;
	return &b->table[i];
}

static int prepare(books *b, sqlite3_stmt **to, const char *sql) {
	return sqlite3_prepare_v3(b->db, sql, -1, SQLITE_PREPARE_PERSISTENT, to, 0);
}

int books_open(const char *path, const char *pragmas, const char *indexes, books **out) {
	books *b = *out = calloc(1, sizeof *b);
	if (!b) return SQLITE_NOMEM;
	int rc = sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, 0);
	if (!rc) rc = sqlite3_exec(b->db, pragmas, 0, 0, 0);
	if (!rc) rc = sqlite3_exec(b->db, schema, 0, 0, 0);
	if (!rc) rc = sqlite3_exec(b->db, indexes, 0, 0, 0);
	if (!rc) rc = prepare(b, &b->begin, "BEGIN IMMEDIATE");
	if (!rc) rc = prepare(b, &b->commit, "COMMIT");
	if (!rc) rc = prepare(b, &b->insert, "INSERT INTO transfers VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	if (!rc)
		rc = prepare(b, &b->find_hold,
			"SELECT debit, credit, amount, timestamp + 1000000000 * timeout FROM transfers WHERE id = ? AND held = 1");
	if (!rc) rc = prepare(b, &b->take_hold, "UPDATE transfers SET held = 0 WHERE id = ?");
	if (!rc)
		rc = prepare(b, &b->update,
			"UPDATE accounts SET debits_pending = ?, credits_pending = ?, debits_posted = ?, credits_posted = ? WHERE row = ?");
	if (!rc) rc = prepare(b, &b->insert_account, "INSERT INTO accounts VALUES(?,?,?,0,0,0,?)");
	return rc;
}

// run steps a statement that has no rows.
static int run(sqlite3_stmt *s) {
	int rc = sqlite3_step(s);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : rc;
}

static void bind_id(sqlite3_stmt *s, int at, const uint64_t key[2]) { sqlite3_bind_blob(s, at, key, 16, SQLITE_STATIC); }

int books_add_account(books *b, id128 id, int limited, int64_t credits) {
	account **slot = slot_of(b, id), *a = calloc(1, sizeof *a);
	if (!a || *slot || b->count >= ACCOUNTS_MAX / 2) return SQLITE_MISUSE;
	a->id = id, a->row = b->count, a->limited = limited, a->balances[CREDITS_POSTED] = credits;
	*slot = b->rows[b->count] = a;
	uint64_t key[2];
	key_of(id, key);
	sqlite3_bind_int64(b->insert_account, 1, b->count++);
	bind_id(b->insert_account, 2, key);
	sqlite3_bind_int(b->insert_account, 3, limited);
	sqlite3_bind_int64(b->insert_account, 4, credits);
	return run(b->insert_account);
}

static void change(books *b, int row, int balance, int64_t by) {
	account *a = b->rows[row];
	if (!a->touched) {
		a->touched = 1;
		b->touched[b->touched_count++] = row;
	}
	a->balances[balance] += by;
}

// movement is a transfer with the rows of its accounts, and its amount.
typedef struct {
	int debit, credit;
	int64_t amount;
} movement;

// check_hold reserves the amount, or refuses.
static uint32_t check_hold(books *b, const transfer *t, movement *m) {
	account *debit = *slot_of(b, t->debit), *credit = *slot_of(b, t->credit);
	if (!debit || !credit) return NO_ACCOUNT;
	m->debit = debit->row, m->credit = credit->row, m->amount = (int64_t)t->amount.lo;
	int64_t *d = debit->balances;
	if (debit->limited && d[DEBITS_PENDING] + d[DEBITS_POSTED] + m->amount > d[CREDITS_POSTED]) return EXCEEDS_CREDITS;
	change(b, m->debit, DEBITS_PENDING, m->amount);
	change(b, m->credit, CREDITS_PENDING, m->amount);
	return CREATED;
}

static void post(books *b, const movement *m, int64_t sign) {
	change(b, m->debit, DEBITS_PENDING, -sign * m->amount);
	change(b, m->debit, DEBITS_POSTED, sign * m->amount);
	change(b, m->credit, CREDITS_PENDING, -sign * m->amount);
	change(b, m->credit, CREDITS_POSTED, sign * m->amount);
}

// check_post finds the hold, and posts its amount.
static uint32_t check_post(books *b, const transfer *t, uint64_t now, movement *m) {
	uint64_t key[2];
	key_of(t->pending, key);
	bind_id(b->find_hold, 1, key);
	uint32_t answer = NO_HOLD;
	if (sqlite3_step(b->find_hold) == SQLITE_ROW && (uint64_t)sqlite3_column_int64(b->find_hold, 3) > now) {
		m->debit = sqlite3_column_int(b->find_hold, 0);
		m->credit = sqlite3_column_int(b->find_hold, 1);
		m->amount = sqlite3_column_int64(b->find_hold, 2);
		post(b, m, 1);
		answer = CREATED;
	}
	sqlite3_reset(b->find_hold);
	return answer;
}

static uint32_t check(books *b, const transfer *t, uint64_t now, movement *m) {
	return t->flags & POST ? check_post(b, t, now, m) : check_hold(b, t, m);
}

static void undo(books *b, const transfer *t, const movement *m) {
	if (t->flags & POST) {
		post(b, m, -1);
		return;
	}
	change(b, m->debit, DEBITS_PENDING, -m->amount);
	change(b, m->credit, CREDITS_PENDING, -m->amount);
}

// write_rows writes the rows of a transfer that was not refused.
static int write_rows(books *b, const transfer *t, const movement *m) {
	uint64_t id[2], pending[2], data[2];
	key_of(t->id, id), key_of(t->pending, pending), key_of(t->user_data_128, data);
	sqlite3_stmt *s = b->insert;
	bind_id(s, 1, id);
	sqlite3_bind_int64(s, 2, m->debit);
	sqlite3_bind_int64(s, 3, m->credit);
	sqlite3_bind_int64(s, 4, m->amount);
	if (t->flags & POST) bind_id(s, 5, pending);
	else sqlite3_bind_null(s, 5);
	bind_id(s, 6, data);
	sqlite3_bind_int64(s, 7, (int64_t)t->user_data_64);
	sqlite3_bind_int64(s, 8, t->user_data_32);
	sqlite3_bind_int64(s, 9, t->timeout);
	sqlite3_bind_int64(s, 10, t->ledger);
	sqlite3_bind_int64(s, 11, t->code);
	sqlite3_bind_int64(s, 12, t->flags);
	sqlite3_bind_int64(s, 13, (int64_t)t->timestamp);
	sqlite3_bind_int64(s, 14, !(t->flags & POST));
	int rc = run(s);
	if (rc || !(t->flags & POST)) return rc;
	bind_id(b->take_hold, 1, pending);
	return run(b->take_hold);
}

// apply_chain applies the transfers from first to last, or refuses them all.
static int apply_chain(books *b, transfer *events, int first, int last, uint64_t now, movement *m, uint32_t *answers) {
	for (int i = first; i <= last; i++) {
		events[i].timestamp = now + (uint64_t)i;
		if ((answers[i] = check(b, &events[i], now, &m[i])) == CREATED) continue;
		for (int k = first; k <= last; k++)
			if (k != i) answers[k] = LINKED_FAILED;
		for (int k = first; k < i; k++) undo(b, &events[k], &m[k]);
		return 0;
	}
	for (int i = first; i <= last; i++) {
		int rc = write_rows(b, &events[i], &m[i]);
		if (rc) return rc;
	}
	return 0;
}

static int write_accounts(books *b) {
	int rc = 0;
	for (int i = 0; i < b->touched_count; i++) {
		account *a = b->rows[b->touched[i]];
		a->touched = 0;
		for (int k = 0; k < 4; k++) sqlite3_bind_int64(b->update, k + 1, a->balances[k]);
		sqlite3_bind_int64(b->update, 5, b->touched[i]);
		if (!rc) rc = run(b->update);
	}
	b->touched_count = 0;
	return rc;
}

int books_apply(books *b, transfer *events, int n, uint64_t now, uint32_t *answers) {
	movement *m = malloc((size_t)n * sizeof *m);
	if (!m) return SQLITE_NOMEM;
	int rc = run(b->begin);
	for (int first = 0, last; first < n && !rc; first = last + 1) {
		for (last = first; last + 1 < n && events[last].flags & LINKED;) last++;
		rc = apply_chain(b, events, first, last, now, m, answers);
	}
	if (!rc) rc = write_accounts(b);
	if (!rc) rc = run(b->commit);
	free(m);
	return rc;
}

int books_read(books *b, id128 id, int64_t balances[4]) {
	sqlite3_stmt *s = 0;
	uint64_t key[2];
	key_of(id, key);
	int rc = prepare(b, &s, "SELECT debits_pending, credits_pending, debits_posted, credits_posted FROM accounts WHERE id = ?");
	if (rc) return rc;
	bind_id(s, 1, key);
	rc = sqlite3_step(s);
	for (int i = 0; i < 4 && rc == SQLITE_ROW; i++) balances[i] = sqlite3_column_int64(s, i);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : SQLITE_ERROR;
}

int books_count(books *b, int64_t *transfers, int64_t *holds) {
	sqlite3_stmt *s = 0;
	int rc = prepare(b, &s, "SELECT (SELECT count(*) FROM transfers), (SELECT count(*) FROM transfers WHERE held = 1)");
	if (!rc) rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) *transfers = sqlite3_column_int64(s, 0), *holds = sqlite3_column_int64(s, 1), rc = 0;
	sqlite3_finalize(s);
	return rc;
}

const char *books_error(books *b) { return b && b->db ? sqlite3_errmsg(b->db) : "out of memory"; }

int books_close(books *b) {
	sqlite3_stmt *all[] = {b->begin, b->commit, b->insert, b->take_hold, b->find_hold, b->update, b->insert_account};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
	for (int i = 0; i < b->count; i++) free(b->rows[i]);
	int rc = sqlite3_close(b->db);
	free(b);
	return rc;
}
