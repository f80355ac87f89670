package rfc0038

import "errors"

var (
	// ErrInvalidQuantity is matched by a [QuantityError].
	ErrInvalidQuantity = errors.New("rfc0038: invalid quantity")
	// ErrInvalidKey is returned when a key is empty, too long or has a character that is not allowed.
	ErrInvalidKey = errors.New("rfc0038: invalid Idempotency-Key")
	// ErrInvalidAccountID is returned when an account id cannot be used on the wire.
	ErrInvalidAccountID = errors.New("rfc0038: invalid account id")
	// ErrUnknownAccount is returned when no account has the id on the wire.
	ErrUnknownAccount = errors.New("rfc0038: unknown account")
)
