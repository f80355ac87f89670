package idindex

import (
	"context"
	"runtime/debug"

	"github.com/peerledger/peerledger/internal/sealed"
)

// VerifyFiles reads and checks every byte of the committed runs: sums, order, and that the filter
// has each entry.
func (x *Index) VerifyFiles(ctx context.Context) (err error) {
	set := x.useRuns()
	defer x.leaveRuns(set)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverFault(&err)
	for _, r := range set.runs {
		if err := r.verifyFilter(ctx); err != nil {
			return err
		}
		if err := r.verifyEntries(ctx); err != nil {
			return err
		}
		if err := r.verifyBurnt(ctx, x.seed); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) verifyFilter(ctx context.Context) error {
	for at := 0; at < len(r.filter); at += lineBytes {
		if at%blockBytes == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := r.file.CheckBlock(sealed.HeaderBytes+int64(at), r.filter[at:at+lineBytes]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) verifyEntries(ctx context.Context) error {
	buf, last := make([]byte, blockBytes), storedEntry{}
	for i := range blockCount(r.entry.entries, blockEntries) {
		if err := ctx.Err(); err != nil {
			return err
		}
		block, err := r.entriesBlock(i, buf)
		if err != nil {
			return err
		}
		for ; len(block) > 0; block = block[entryBytes:] {
			e := getEntry(block)
			found, err := r.mayHave(e.hash())
			if err != nil {
				return err
			}
			if !found || e.isBefore(last) || e.kind() >= kindCount || e.kind() == KindBurnt && e.position() >= r.entry.burnt {
				return r.file.Corrupt(r.layout.entries+int64(i)*blockBytes, "entries that no writer makes")
			}
			last = e
		}
	}
	return nil
}

func (r *run) verifyBurnt(ctx context.Context, seed hashSeed) error {
	buf := make([]byte, blockBytes)
	for i := range blockCount(r.entry.burnt, blockIDs) {
		if err := ctx.Err(); err != nil {
			return err
		}
		block, err := r.burntBlock(i, buf)
		if err != nil {
			return err
		}
		for ; len(block) > 0; block = block[idBytes:] {
			found, err := r.mayHave(seed.hashID(getID(block)))
			if err != nil {
				return err
			}
			if !found {
				return r.file.Corrupt(r.layout.burntBlock(i), "a burnt id without an entry")
			}
		}
	}
	return nil
}
