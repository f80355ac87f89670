package transfers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Why an operation was refused. [ILPCode] gives the ILP error code to answer with.
var (
	// ErrPacket is returned for an invalid operation. A [PacketError] names the field.
	// Nothing was sent to the ledger.
	ErrPacket = errors.New("transfers: invalid operation")
	// ErrAmounts is returned when a packet pays out more than came in, within an asset or
	// to an asset without [accounts.Asset].AllowLoss, and when a new packet between two
	// assets delivers 0 for more than 0 ([Config].GuardConversions).
	ErrAmounts = errors.New("transfers: packet pays out more than came in, or nothing for it")
	// ErrHoldTooShort is returned when too little time is left until the packet's Expiry.
	ErrHoldTooShort = errors.New("transfers: too little time left to hold the packet")
	// ErrCreditLine is returned when the packet would take the sender beyond its credit
	// line. A new packet with a new id may pass later.
	ErrCreditLine = errors.New("transfers: credit line exceeded")
	// ErrInArrears is returned for a new packet whose sender owes us more than its account
	// could be charged ([accounts.Balance].Arrears). A new packet may pass when the arrears
	// are collected. See [Config].AllowArrears.
	ErrInArrears = errors.New("transfers: sender is in arrears")
	// ErrPayableCap is returned when the packet could make us owe its receiver more than
	// the receiver's PayableCap ([accounts.Limits]). A retry may pass later. A
	// [PacketLimitError] has the numbers.
	ErrPayableCap = errors.New("transfers: cap on the amount owed to the peer exceeded")
	// ErrInFlightShare is returned when the sender's packets hold as much of its credit
	// line as allowed ([accounts.Limits].InFlightShare). A retry may pass later. A
	// [PacketLimitError] has the numbers.
	ErrInFlightShare = errors.New("transfers: share of the credit line for packets in flight exceeded")
	// ErrPacketTooLarge is returned when the packet exceeds its sender's MaxPacket
	// ([accounts.Limits]). A [PacketLimitError] has the numbers, and [RejectData] the data
	// for the sender.
	ErrPacketTooLarge = errors.New("transfers: packet exceeds the peer's largest packet")
	// ErrRateLimited is returned when the sender exceeds its PacketRate or AmountRate
	// ([accounts.Limits]). A retry may pass later. A [PacketLimitError] has the numbers.
	ErrRateLimited = errors.New("transfers: peer exceeds its rate")
	// ErrLiquidity is returned when the packet could take our liquidity in an asset below
	// its LiquidityFloor ([accounts.Config].LiquidityFloors). A retry may pass later. A [PacketLimitError] has
	// the numbers.
	ErrLiquidity = errors.New("transfers: too little liquidity")
	// ErrLimitsNotLoaded is returned when the caps of a peer cannot be checked, because the
	// recorder has not read the peer's balance. Nothing was recorded. [Recorder.Submit] and
	// [Recorder.Record] wait for the read; [Recorder.TrySubmit] of the peer's first packet
	// does not.
	ErrLimitsNotLoaded = errors.New("transfers: limits of the peer not loaded yet")
	// ErrUnknownPacket is returned when the ledger holds nothing for the packet: the
	// prepare is missing, or was refused.
	ErrUnknownPacket = errors.New("transfers: packet is not held")
	// ErrHoldExpired is returned for an applied prepare whose hold may have ended before
	// the answer came. The packet must not be forwarded.
	ErrHoldExpired = errors.New("transfers: hold expired before the answer")
	// ErrPacketConflict is returned for a fulfill of a rejected packet, and for a reject of
	// a fulfilled packet. The books stay unchanged.
	ErrPacketConflict = errors.New("transfers: packet was resolved by the opposite operation")
	// ErrAbandoned is returned when the caller's context ended before the answer to its
	// prepare. The packet must not be forwarded. If the recorder generated the packet's id,
	// the recorder voids the hold; otherwise [Recorder.Reject] does, or the hold's timeout.
	// The error also matches [ledger.ErrOutcomeUnknown].
	ErrAbandoned = errors.New("transfers: prepare abandoned")
	// ErrBacklogFull is returned when the backlog has no room, or when the Journal's disk is
	// too far behind. Nothing was recorded.
	ErrBacklogFull = errors.New("transfers: backlog full")
	// ErrRecorderClosed is returned when the recorder was closed before the operation was
	// sent. Nothing was recorded; for a fulfill with a Journal see [Recorder.Record].
	ErrRecorderClosed = errors.New("transfers: recorder closed")
	// ErrJournal is returned when the Journal cannot be opened or written. A [JournalError]
	// names the folder. The error matches one of the next three errors, or
	// [accounts.ErrUnknownAsset] or [ErrAmounts] if a fulfill in the Journal does not fit
	// the book's assets. A fulfill was enqueued, and is possibly not on disk:
	// [Future.Wait] tells when the ledger has the money.
	ErrJournal = errors.New("transfers: journal")
	// ErrJournalCorrupt is returned when a file of the Journal was changed or damaged. The
	// remaining fulfills cannot be trusted: restore the folder from a copy, or
	// compare the books with the peers and begin with an empty folder.
	ErrJournalCorrupt = errors.New("transfers: journal is corrupt")
	// ErrJournalInUse is returned when the Journal is open in a second recorder.
	ErrJournalInUse = errors.New("transfers: journal is in use")
	// ErrJournalForeign is returned when the Journal belongs to another namespace, or has
	// a format that this program does not read.
	ErrJournalForeign = errors.New("transfers: journal belongs to another namespace or version")
)

// PacketError describes an invalid field of an operation. It matches [ErrPacket].
type PacketError struct {
	Kind   Kind
	ID     ledger.ID
	Field  string
	Reason string
}

func (e *PacketError) Error() string {
	return fmt.Sprintf("transfers: %v of packet %v: %s %s", e.Kind, e.ID, e.Field, e.Reason)
}

// Is reports whether target is [ErrPacket].
func (e *PacketError) Is(target error) bool { return target == ErrPacket }

// PacketLimitError is returned when a limit enforced by the recorder refuses a new packet.
// The error matches Cause. The numbers are in units, or in packets if Asset is zero:
//
//	Cause              Limit
//	-----------------  ----------------------------------------------------------------
//	ErrPayableCap      PayableCap, plus the amount owed to us by the peer
//	ErrInFlightShare   share of the credit line, plus the peer's own money
//	ErrLiquidity       liquidity above the floor
//	ErrPacketTooLarge  MaxPacket
//	ErrRateLimited     the most at once, by PacketRate or AmountRate
type PacketLimitError struct {
	Account accounts.PeerAccount // the limited peer; our own account for ErrLiquidity
	Asset   accounts.Asset       // zero for PacketRate
	Cause   error
	Limit   ledger.Amount
	Used    ledger.Amount // upper bound of the used part of Limit
	Wanted  ledger.Amount // by the packet
}

func (e *PacketLimitError) Error() string {
	if e.Asset == (accounts.Asset{}) {
		return fmt.Sprintf("%v: %v has used %v of %v packets", e.Cause, e.Account, e.Used, e.Limit)
	}
	return fmt.Sprintf("%v: %v has used %s of %s, and the packet is of %s",
		e.Cause, e.Account, e.Asset.Text(e.Used), e.Asset.Text(e.Limit), e.Asset.Text(e.Wanted))
}

// Unwrap returns the cause.
func (e *PacketLimitError) Unwrap() error { return e.Cause }

// RefusedError describes an operation refused by the ledger. The error matches Cause: a
// sentinel of package transfers, [accounts.ErrPeerClosed], [accounts.ErrNotProvisioned],
// [ledger.ErrIDConflict], [ledger.ErrIDBurnt] or [ledger.ErrRefused].
type RefusedError struct {
	Kind     Kind
	Packet   ledger.ID
	From, To accounts.PeerAccount
	Cause    error
	// TransferErr is the refused leg of the packet, with its status.
	TransferErr ledger.TransferError
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%v of packet %v from %v to %v: %v (%v)",
		e.Kind, e.Packet, e.From, e.To, e.Cause, &e.TransferErr)
}

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Cause }

// JournalError describes a failure to open or write a Journal. The error matches
// [ErrJournal], the cause, and, where the cause fits, [ErrJournalCorrupt],
// [ErrJournalInUse] or [ErrJournalForeign].
type JournalError struct {
	Folder string
	Err    error // names file and offset if a file is damaged
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("transfers: journal %s: %v", e.Folder, e.Err)
}

// Unwrap returns the cause.
func (e *JournalError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrJournal], or the sentinel that fits the cause.
func (e *JournalError) Is(target error) bool {
	switch target {
	case ErrJournal:
		return true
	case ErrJournalCorrupt:
		return errors.Is(e.Err, wal.ErrCorrupt)
	case ErrJournalInUse:
		return errors.Is(e.Err, wal.ErrLocked)
	case ErrJournalForeign:
		return errors.Is(e.Err, wal.ErrVersion)
	default:
		return false
	}
}

// CloseError lists the operations that [Recorder.Close] could not finish.
//
// Record the Unknown operations again with the next recorder, with the same packets: an
// operation in the books is answered as already applied. Of the Unsent operations record
// fulfills, rejects and forwards; a prepare need not be recorded. The next recorder
// records fulfills in a Journal without being asked.
//
// The error matches Ledger, Deadline, and [ledger.ErrOutcomeUnknown] if Unknown is not empty.
type CloseError struct {
	UnknownOps []Op  // sent and not answered, or abandoned prepares whose hold was not voided
	UnsentOps  []Op  // never sent to the ledger
	Deadline   error // cause of the context that ended the wait; nil if the ledger gave up
	LedgerErr  error // the ledger's last error
}

func (e *CloseError) Error() string {
	text := fmt.Sprintf("transfers: recorder closed with %d operations of unknown outcome and %d unsent", len(e.UnknownOps), len(e.UnsentOps))
	if all := append(slices.Clone(e.UnknownOps), e.UnsentOps...); len(all) > 0 {
		text += fmt.Sprintf(", the first is the %v of packet %v", all[0].Kind, all[0].Packet.ID)
	}
	if e.Deadline != nil {
		text += fmt.Sprintf(": %v", e.Deadline)
	}
	return fmt.Sprintf("%s: the ledger's last error: %v", text, e.LedgerErr)
}

// Unwrap returns Ledger, Deadline and [ledger.ErrOutcomeUnknown], as far as they apply.
func (e *CloseError) Unwrap() []error {
	all := []error{e.LedgerErr}
	if e.Deadline != nil {
		all = append(all, e.Deadline)
	}
	if len(e.UnknownOps) > 0 {
		all = append(all, ledger.ErrOutcomeUnknown)
	}
	return all
}

// ILPCode returns the ILP error code (RFC 0027) for an error of package transfers, or of
// [accounts.Converter.ConvertPacket], to answer the sender of the packet with; "" for nil.
// An unknown outcome is a T: a final code would be a promise that nothing moved.
//
//	T04  peer beyond its line or a cap, in arrears, suspended or closed, also if an earlier
//	     request for the same prepare was refused so (ledger.ErrIDBurnt); too little liquidity
//	T03  backlog full
//	T05  peer exceeds its rate
//	F08  packet too large, also after a conversion (accounts.PacketTooLargeError); with RejectData
//	R01  amounts
//	R02  too little time left
//	T00  everything else
//
// (https://github.com/interledger/rfcs/blob/main/0027-interledger-protocol-4/0027-interledger-protocol-4.md#error-codes)
func ILPCode(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrCreditLine), errors.Is(err, accounts.ErrPeerClosed), errors.Is(err, accounts.ErrSuspended),
		errors.Is(err, ErrInArrears), errors.Is(err, ErrPayableCap), errors.Is(err, ErrInFlightShare), errors.Is(err, ErrLiquidity),
		isBurntByRefusal(err):
		return "T04"
	case errors.Is(err, ErrBacklogFull):
		return "T03"
	case errors.Is(err, ErrRateLimited):
		return "T05"
	case errors.Is(err, ErrPacketTooLarge), errors.As(err, new(*accounts.PacketTooLargeError)):
		return ilp.CodeAmountTooLarge
	case errors.Is(err, ErrAmounts):
		return "R01"
	case errors.Is(err, ErrHoldTooShort):
		return "R02"
	default:
		return "T00"
	}
}

// isBurntByRefusal reports whether a prepare met its own id, burnt by an earlier refusal: in
// a request whose answer was lost, or in an earlier call. Only the causes of T04 burn the
// id of a prepare: an exceeded line, or an account that is closed or missing.
func isBurntByRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Kind == KindPrepare && errors.Is(refused.Cause, ledger.ErrIDBurnt)
}
