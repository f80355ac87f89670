package accounts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestTimestampOf(t *testing.T) {
	t.Parallel()
	last := time.Date(2261, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for at, want := range map[time.Time]uint64{
		{}:                     1,
		time.Unix(0, -1).UTC(): 1,
		time.Unix(0, 0).UTC():  1,
		time.Unix(0, 1).UTC():  1,
		time.Unix(0, 2).UTC():  2,
		last:                   uint64(last.UnixNano()),
		last.Add(1):            ledger.TimestampMax,
	} {
		require.Equal(t, want, timestampOf(at), "%v", at)
	}
}
