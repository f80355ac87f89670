package cause_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
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

// Each result of a payment has a listed label; an error comes first.
func TestPaymentLabels(t *testing.T) {
	t.Parallel()
	var got []string
	for _, e := range []settlement.PaymentEnd{
		{},
		{Booking: settlement.PaymentBooking{Booking: accounts.Booking{AlreadyBooked: true}, InSuspense: true}},
		{Booking: settlement.PaymentBooking{InSuspense: true}},
		{Booking: settlement.PaymentBooking{Booking: accounts.Booking{AlreadyBooked: true}}, Err: errors.New("not booked")},
	} {
		got = append(got, cause.LabelPayment(&e))
	}
	require.Equal(t, []string{"booked", "repeated", "suspense", "failed"}, got)
	require.Equal(t, got, cause.PaymentLabels())
}
