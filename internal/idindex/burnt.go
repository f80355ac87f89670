package idindex

import (
	"context"
	"iter"

	"github.com/peerledger/peerledger/ledger"
)

// BurntIDs are the burnt ids of the committed runs, in no order. It reads a block at a time. It ends
// after the first error, which comes with a zero id: of ctx, the file system's, or a
// [sealed.CorruptError].
func (x *Index) BurntIDs(ctx context.Context) iter.Seq2[ledger.ID, error] {
	return func(yield func(ledger.ID, error) bool) {
		set := x.useRuns()
		defer x.leaveRuns(set)
		for _, r := range set.runs {
			if !r.yieldBurnt(ctx, yield) {
				return
			}
		}
	}
}

// yieldBurnt yields the burnt ids of a run. It reports whether there was no error and yield wants more.
func (r *run) yieldBurnt(ctx context.Context, yield func(ledger.ID, error) bool) bool {
	buf := make([]byte, blockBytes)
	for i := range blockCount(r.entry.burnt, blockIDs) {
		err := ctx.Err()
		var block []byte
		if err == nil {
			block, err = r.burntBlock(i, buf)
		}
		if err != nil {
			yield(ledger.ID{}, err)
			return false
		}
		for ; len(block) > 0; block = block[idBytes:] {
			if !yield(getID(block), nil) {
				return false
			}
		}
	}
	return true
}
