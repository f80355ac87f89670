package rfc0038

import "errors"

var (
	// ErrInvalidQuantity is matched by a [QuantityError].
	ErrInvalidQuantity = errors.New("rfc0038: invalid quantity")
	// ErrInvalidKey is returned when a key is empty, too long or has characters that do not print.
	ErrInvalidKey = errors.New("rfc0038: invalid Idempotency-Key")
)
