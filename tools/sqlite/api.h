// The part of SQLite's interface that books.c uses. The library comes with the Go module
// github.com/mattn/go-sqlite3, whose own header is not in the include path of other packages.
#ifndef API_H
#define API_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

enum {
	SQLITE_ERROR = 1,
	SQLITE_NOMEM = 7,
	SQLITE_MISUSE = 21,
	SQLITE_ROW = 100,
	SQLITE_DONE = 101,
	SQLITE_OPEN_READWRITE = 0x2,
	SQLITE_OPEN_CREATE = 0x4,
	SQLITE_OPEN_NOMUTEX = 0x8000,
	SQLITE_PREPARE_PERSISTENT = 1,
};

#define SQLITE_STATIC ((void (*)(void *))0)

int sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int sqlite3_close(sqlite3 *db);
int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg, char **message);
const char *sqlite3_errmsg(sqlite3 *db);
const char *sqlite3_libversion(void);
int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags, sqlite3_stmt **to, const char **tail);
int sqlite3_step(sqlite3_stmt *s);
int sqlite3_reset(sqlite3_stmt *s);
int sqlite3_finalize(sqlite3_stmt *s);
int sqlite3_bind_int(sqlite3_stmt *s, int at, int value);
int sqlite3_bind_int64(sqlite3_stmt *s, int at, int64_t value);
int sqlite3_bind_null(sqlite3_stmt *s, int at);
int sqlite3_bind_blob(sqlite3_stmt *s, int at, const void *value, int bytes, void (*destroy)(void *));
int sqlite3_column_int(sqlite3_stmt *s, int column);
int64_t sqlite3_column_int64(sqlite3_stmt *s, int column);

#endif
