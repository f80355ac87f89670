package console

import (
	"context"
	"iter"
	"net/http"
)

// streamRows sends rows that are read while they are sent, in the time of ExportTimeout. An error of the first read
// gets a page. After it the connection is broken off: half a table must not pass for a whole one.
func streamRows[T any](c *Console, w http.ResponseWriter, r *http.Request, f format, name string, fields []field[T], read func(context.Context) iter.Seq2[T, error]) {
	file, kind, write := name+".csv", "text/csv; charset=utf-8", writeCSV[T]
	if f == formatJSON {
		file, kind, write = name+".json", "application/json", writeJSON[T]
	}
	out := &downloadWriter{start: func() { nameDownload(w, kind, file) }, to: w}
	err := c.readLedger(r.Context(), c.cfg.ExportTimeout, func(ctx context.Context) error {
		limitAnswer(w, downloadTime) // before wakeWrite, which must have the last word
		defer wakeWrite(ctx, w)()
		next, stop := iter.Pull2(read(ctx))
		defer stop()
		row, err, more := next()
		if err != nil {
			return err
		}
		write(out, func(yield func(T) bool) {
			for more && err == nil && yield(row) {
				row, err, more = next()
			}
		}, fields)
		return err
	})
	switch {
	case err == nil:
	case !out.started:
		c.fail(w, statusOf(err), err)
	default:
		panic(http.ErrAbortHandler)
	}
}
