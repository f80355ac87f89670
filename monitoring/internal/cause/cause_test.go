package cause_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/monitoring/internal/cause"
	"github.com/peerledger/peerledger/settlement"
)

func Example() {
	err := fmt.Errorf("pay alice: %w", settlement.ErrDeclined)
	fmt.Println(cause.LabelVoid(err), cause.LabelFailure(err), cause.LabelFailure(errors.New("the rail's own error")))
	// Output: declined declined other
}

// Each label is listed once.
func TestLabelsAreListed(t *testing.T) {
	t.Parallel()
	require.Len(t, cause.VoidLabels(), 7)
	require.Len(t, cause.FailureLabels(), 14)
	require.Contains(t, cause.VoidLabels(), cause.LabelVoid(settlement.ErrCheckFailed))
	require.Contains(t, cause.FailureLabels(), cause.LabelFailure(settlement.ErrOldEngine))
	require.Contains(t, cause.FailureLabels(), cause.LabelFailure(errors.New("unlisted")))
}
