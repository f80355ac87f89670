package cause

import "github.com/peerledger/peerledger/settlement"

// The results of bookings of payments.
const (
	paymentBooked     = "booked"
	paymentRepeated   = "repeated"
	paymentInSuspense = "suspense"
	paymentFailed     = "failed"
)

// LabelPayment returns the label of the result of a payment's booking.
func LabelPayment(e *settlement.PaymentEnd) string {
	switch {
	case e.Err != nil:
		return paymentFailed
	case e.Booking.AlreadyBooked:
		return paymentRepeated
	case e.Booking.InSuspense:
		return paymentInSuspense
	default:
		return paymentBooked
	}
}

// PaymentLabels returns all results of LabelPayment.
func PaymentLabels() []string {
	return []string{paymentBooked, paymentRepeated, paymentInSuspense, paymentFailed}
}
