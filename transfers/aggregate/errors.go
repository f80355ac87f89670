package aggregate

import "errors"

var (
	// ErrTooLate is returned for a fulfill or reject after the packet's horizon
	// ([Config].Horizon): whether it was booked before is no longer known. Nothing is booked. If it
	// was never fulfilled, book the amount with [accounts.Book.Adjust].
	ErrTooLate = errors.New("aggregate: the packet's horizon has passed")
	// ErrStopped is returned after the ledger answered a round in a way that has no explanation, for
	// example with a conflict of ids. It wraps the cause. Acknowledged fulfills are in the journal;
	// open no new recorder before the cause is found.
	ErrStopped = errors.New("aggregate: recorder stopped")
	// ErrOldJournal is returned when the ledger has rounds that the journal lacks: the journal is an
	// old copy. Going on would book packets twice.
	ErrOldJournal = errors.New("aggregate: the journal is older than the ledger")
	// ErrRequestSize is returned when the ledger takes fewer events in a request than
	// [Config].RequestSize.
	ErrRequestSize = errors.New("aggregate: the ledger takes smaller requests")
)
