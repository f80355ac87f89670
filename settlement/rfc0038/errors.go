package rfc0038

import "errors"

var (
	// ErrOpenToEverybody is returned when a [Server] would take payments from other machines without
	// authentication. Give it tokens or client certificates, or set [ListenConfig.OpenToEverybody].
	ErrOpenToEverybody = errors.New("rfc0038: the address is open to everybody, and nothing authenticates")

	// ErrInvalidQuantity is matched by a [QuantityError].
	ErrInvalidQuantity = errors.New("rfc0038: invalid quantity")
	// ErrInvalidKey is returned when a key is empty, too long or has a character that is not allowed.
	ErrInvalidKey = errors.New("rfc0038: invalid Idempotency-Key")
	// ErrInvalidAccountID is returned when an account id cannot be used on the wire.
	ErrInvalidAccountID = errors.New("rfc0038: invalid account id")
	// ErrUnknownAccount is returned when no account has the id on the wire, and matched by the
	// [AnswerError] of an engine that does not know the account (404). Create the account, then send
	// the same key again.
	ErrUnknownAccount = errors.New("rfc0038: unknown account")

	// ErrKeySeen is matched by the [AnswerError] of an engine that has seen the key before and does not
	// tell the outcome (409). Never send the settlement under another key: an operator has to find out
	// whether the engine paid.
	ErrKeySeen = errors.New("rfc0038: the engine has seen the key and does not tell the outcome")
	// ErrRefused is matched by the [AnswerError] of an engine that will always refuse the request: 4xx
	// apart from 401, 403, 404, 407, 408, 409, 425 and 429.
	ErrRefused = errors.New("rfc0038: the engine refuses the request")
	// ErrOtherAccount is returned when an engine created an account under another id than the id of the
	// request. No account of ours may be used with such an engine. It is also the reason of a [StuckError]: a
	// repeat of the creation would make one account more.
	ErrOtherAccount = errors.New("rfc0038: the engine created another account")
	// ErrAnswerTooLarge is returned when the answer to a message exceeds [ClientConfig.MaxAnswer].
	ErrAnswerTooLarge = errors.New("rfc0038: the engine's answer is too large")
	// ErrEmptyMessage is returned when a message has no bytes: engines answer 500. Nothing was sent.
	ErrEmptyMessage = errors.New("rfc0038: empty message")

	// ErrMessagePacket is returned for a peer's packet that is no ILP packet, or that goes to peer.settle and has an amount
	// or another condition.
	ErrMessagePacket = errors.New("rfc0038: invalid packet for a message")

	// ErrBelowUnit is returned when an order is worth less than one unit of the engine. Nothing was
	// sent. The error matches [settlement.ErrDeclined], so the amount stays owed.
	ErrBelowUnit = errors.New("rfc0038: less than one unit of the engine")
	// ErrStuck is matched by a [StuckError].
	ErrStuck = errors.New("rfc0038: settlement waits for an operator")
	// ErrKeyTooOld is the reason of a [StuckError] for an order older than [SettlerConfig.KeyLifetime]:
	// the engine may have forgotten the key, and would pay again.
	ErrKeyTooOld = errors.New("rfc0038: the engine may have forgotten the key")
	// ErrEngineForgot is the reason of a [StuckError] for an order that was sent without a final answer, and
	// whose account the engine then did not know (404) although it had created the account: it has lost
	// its store, and would pay the key again.
	ErrEngineForgot = errors.New("rfc0038: the engine has forgotten the account, and may have paid")
	// ErrAmountTooLarge is the reason of a [StuckError] for an order above [SettlerConfig.MaxAmount].
	ErrAmountTooLarge = errors.New("rfc0038: more than the engine takes")
	// ErrNotStuck is returned when no settlement waits for an operator under the order's id.
	ErrNotStuck = errors.New("rfc0038: no such settlement waits for an operator")
	// ErrKeyOpen is returned when an account is to be deleted while one of its settlements has no
	// final answer.
	ErrKeyOpen = errors.New("rfc0038: a settlement of the account has no final answer")
	// ErrDeleting is returned while [Settler.DeleteAccount] is under way for the account. Nothing was sent:
	// repeat the call later. An order stays open.
	ErrDeleting = errors.New("rfc0038: the account is being deleted")
)
