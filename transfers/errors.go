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

// Why an operation was refused. Code gives the ILP error code to answer with.
var (
	// ErrPacket says that the operation itself is wrong: a PacketError names
	// the field. Nothing was sent to the ledger.
	ErrPacket = errors.New("transfers: invalid operation")
	// ErrAmounts says that a packet pays out more than came in, within one asset, or to one,
	// that does not allow it (accounts.Asset.AllowLoss); or that a new packet between two
	// assets delivers 0 for more than 0 (Config.GuardConversions).
	ErrAmounts = errors.New("transfers: packet pays out more than came in, or nothing for it")
	// ErrHoldTooShort says that too little time is left until the packet's
	// expiry.
	ErrHoldTooShort = errors.New("transfers: too little time left to hold the packet")
	// ErrCreditLine says that the packet would take the sender beyond its credit
	// line. It may pass later, as a new packet with a new id.
	ErrCreditLine = errors.New("transfers: credit line exceeded")
	// ErrInArrears says that a new packet was not taken, since its sender owes us more than
	// its account could be charged (accounts.Balance.Arrears). It may pass when the arrears
	// are collected. See Config.AllowArrears.
	ErrInArrears = errors.New("transfers: sender is in arrears")
	// ErrPayableCap says that the packet could make us owe its receiver more than its
	// PayableCap (accounts.Limits). It may pass later. A PacketLimitError has the numbers.
	ErrPayableCap = errors.New("transfers: cap on what we owe exceeded")
	// ErrInFlightShare says that packets of the sender hold as much of its credit line as
	// they may (accounts.Limits.InFlightShare). It may pass later. A PacketLimitError has the
	// numbers.
	ErrInFlightShare = errors.New("transfers: share of the credit line that may be held exceeded")
	// ErrPacketTooLarge says that a packet is larger than its sender's MaxPacket
	// (accounts.Limits). A PacketLimitError has the numbers, and RejectData the data for the sender.
	ErrPacketTooLarge = errors.New("transfers: packet is larger than the peer's largest")
	// ErrRateLimited says that the sender's packets come faster than its PacketRate or
	// AmountRate (accounts.Limits). It may pass later. A PacketLimitError has the numbers.
	ErrRateLimited = errors.New("transfers: peer sends faster than it may")
	// ErrLiquidity says that the packet could take our liquidity in an asset below its
	// LiquidityFloor (accounts.Config.LiquidityFloors). It may pass later. A PacketLimitError has the numbers.
	ErrLiquidity = errors.New("transfers: too little liquidity")
	// ErrLimitsNotLoaded says that the caps of one of the peers cannot be checked yet, since
	// the ledger has not been looked at. Nothing was recorded. Submit and Record wait for
	// it; TrySubmit does not, for the first packet of a peer.
	ErrLimitsNotLoaded = errors.New("transfers: caps of the peer not looked up yet")
	// ErrUnknownPacket says that the ledger holds nothing for the packet: it was
	// never prepared, or its prepare was refused.
	ErrUnknownPacket = errors.New("transfers: packet is not held")
	// ErrHoldExpired says of a prepare that its answer took so long to come that the
	// hold may have ended already: the packet must not be forwarded.
	ErrHoldExpired = errors.New("transfers: hold expired before the answer")
	// ErrPacketConflict says that a packet to be fulfilled was rejected
	// before, or the other way round. The books stay as they were.
	ErrPacketConflict = errors.New("transfers: packet was resolved the other way")
	// ErrAbandoned says that the caller's context ended before it had the answer
	// to its prepare: the packet must not be forwarded. If the recorder drew the
	// packet's id it gives back what the prepare came to hold; else Reject does,
	// or the hold's timeout. It comes with ledger.ErrOutcomeUnknown.
	ErrAbandoned = errors.New("transfers: prepare abandoned")
	// ErrBacklogFull says that as many operations are waiting as the recorder
	// takes, or that too much is on its way to the Journal's disk. Nothing was
	// recorded.
	ErrBacklogFull = errors.New("transfers: backlog full")
	// ErrRecorderClosed says that the recorder was closed before the operation was sent.
	// Nothing was recorded; see Record for a fulfill with a Journal.
	ErrRecorderClosed = errors.New("transfers: recorder closed")
	// ErrJournal says that the Journal cannot be opened or written: a JournalError
	// names the folder, and matches one of the next three if it is one of these, or
	// accounts.ErrUnknownAsset or ErrAmounts if what is left in it does not fit the
	// book's assets. Of a fulfill it says that it is not known to be on disk: it was handed over, and
	// Wait tells when it is in the ledger.
	ErrJournal = errors.New("transfers: journal")
	// ErrJournalCorrupt says that a file of the Journal is not what was written to
	// it. The fulfills in it cannot be trusted: restore the folder from a copy, or
	// compare the books with the peers and begin with an empty folder.
	ErrJournalCorrupt = errors.New("transfers: journal is corrupt")
	// ErrJournalInUse says that another recorder has the Journal open.
	ErrJournalInUse = errors.New("transfers: journal is in use")
	// ErrJournalForeign says that the Journal is that of another namespace, or of a
	// version of this package that this one does not know.
	ErrJournalForeign = errors.New("transfers: journal belongs to another namespace or version")
)

// PacketError is a field of an operation that cannot be used. It matches
// ErrPacket.
type PacketError struct {
	Kind   Kind
	ID     ledger.ID
	Field  string
	Reason string
}

func (e *PacketError) Error() string {
	return fmt.Sprintf("transfers: %v of packet %v: %s %s", e.Kind, e.ID, e.Field, e.Reason)
}

// Is reports whether target is ErrPacket.
func (e *PacketError) Is(target error) bool { return target == ErrPacket }

// PacketLimitError is a packet that was not taken, since a limit that this recorder enforces
// leaves no room for it. It matches its Reason.
type PacketLimitError struct {
	Account accounts.PeerAccount // with ErrLiquidity ourselves, in the asset
	Asset   accounts.Asset       // zero if the numbers are packets (PacketRate)
	Cause   error                // ErrPayableCap, ErrInFlightShare, ErrLiquidity, ErrPacketTooLarge or ErrRateLimited
	// Limit is the limit, in units, or in packets; with ErrPayableCap and what the peer owes
	// us, with ErrInFlightShare and what we owe the peer, with ErrLiquidity what we have above the
	// floor, and with ErrRateLimited what may come at once.
	Limit  ledger.Amount
	Used   ledger.Amount // of it, at most
	Wanted ledger.Amount // by the packet
}

func (e *PacketLimitError) Error() string {
	if e.Asset == (accounts.Asset{}) {
		return fmt.Sprintf("%v: %v has sent %v packets of %v that may come at once", e.Cause, e.Account, e.Used, e.Limit)
	}
	return fmt.Sprintf("%v: %v has used %s of %s, and the packet is of %s",
		e.Cause, e.Account, e.Asset.Text(e.Used), e.Asset.Text(e.Limit), e.Asset.Text(e.Wanted))
}

// Unwrap returns the reason.
func (e *PacketLimitError) Unwrap() error { return e.Cause }

// RefusedError is an operation that the ledger refused. It matches the reason,
// one of the errors above, accounts.ErrNotProvisioned, ledger.ErrIDConflict,
// ledger.ErrIDSpent or ledger.ErrRefused.
type RefusedError struct {
	Kind     Kind
	Packet   ledger.ID
	From, To accounts.PeerAccount
	Cause    error
	// Transfer is the leg of the packet that was refused, with its status.
	Transfer ledger.TransferError
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%v of packet %v from %v to %v: %v (%v)",
		e.Kind, e.Packet, e.From, e.To, e.Cause, &e.Transfer)
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Cause }

// JournalError is a Journal that cannot be opened or written. It matches ErrJournal,
// and ErrJournalCorrupt, ErrJournalInUse or ErrJournalForeign if it is one of these,
// and its cause.
type JournalError struct {
	Folder string
	Err    error // names file and offset if a file is damaged
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("transfers: journal %s: %v", e.Folder, e.Err)
}

// Unwrap returns the cause.
func (e *JournalError) Unwrap() error { return e.Err }

// Is reports whether target is ErrJournal, or the sentinel that fits the cause.
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

// CloseError says what Close could not finish. Record the unknown ones again with the
// next recorder, the same packets: what is in the books is answered as already
// applied. Of the unsent ones fulfills, rejects and forwards must be recorded; a
// prepare need not. Fulfills in a Journal are recorded by themselves. It matches
// ledger.ErrOutcomeUnknown if the outcome of at least one operation is unknown,
// and the errors below.
type CloseError struct {
	Unknown  []Op  // handed to the ledger, and never answered; or prepares that are held for nobody
	Unsent   []Op  // never handed to the ledger
	Deadline error // of the context that ended the wait; nil if the ledger gave up
	Ledger   error // the ledger's last error
}

func (e *CloseError) Error() string {
	text := fmt.Sprintf("transfers: recorder closed with %d operations of unknown outcome and %d unsent", len(e.Unknown), len(e.Unsent))
	if all := append(slices.Clone(e.Unknown), e.Unsent...); len(all) > 0 {
		text += fmt.Sprintf(", the first is the %v of packet %v", all[0].Kind, all[0].Packet.ID)
	}
	if e.Deadline != nil {
		text += fmt.Sprintf(": %v", e.Deadline)
	}
	return fmt.Sprintf("%s: the ledger's last error: %v", text, e.Ledger)
}

// Unwrap returns what the error matches.
func (e *CloseError) Unwrap() []error {
	all := []error{e.Ledger}
	if e.Deadline != nil {
		all = append(all, e.Deadline)
	}
	if len(e.Unknown) > 0 {
		all = append(all, ledger.ErrOutcomeUnknown)
	}
	return all
}

// ILPCode is the ILP error code (RFC 0027) that fits an error of this package, to
// answer the sender of the packet with: "T04" if a peer is beyond its line or a cap, in
// arrears, suspended or closed, also if that was found by an earlier request for the same
// prepare (ledger.ErrIDSpent), or if we have too little liquidity; "T03" if the backlog is
// full, "T05" if the peer is too fast, "F08" with RejectData if the packet is too large, "R01"
// and "R02" for amounts and time, "T00" for everything else. "" for nil.
// (https://github.com/interledger/rfcs/blob/main/0027-interledger-protocol-4/0027-interledger-protocol-4.md#error-codes)
func ILPCode(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrCreditLine), errors.Is(err, accounts.ErrPeerClosed), errors.Is(err, accounts.ErrSuspended),
		errors.Is(err, ErrInArrears), errors.Is(err, ErrPayableCap), errors.Is(err, ErrInFlightShare), errors.Is(err, ErrLiquidity),
		spentByRefusal(err):
		return "T04"
	case errors.Is(err, ErrBacklogFull):
		return "T03"
	case errors.Is(err, ErrRateLimited):
		return "T05"
	case errors.Is(err, ErrPacketTooLarge):
		return ilp.CodeAmountTooLarge
	case errors.Is(err, ErrAmounts):
		return "R01"
	case errors.Is(err, ErrHoldTooShort):
		return "R02"
	default:
		return "T00"
	}
}

// spentByRefusal reports whether a prepare was refused since its id was refused before, by a
// request whose answer was lost or by an earlier call. Only what T04 says spends the id of a
// prepare: a line that was exceeded, or an account that is closed or missing.
func spentByRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Kind == KindPrepare && errors.Is(refused.Cause, ledger.ErrIDSpent)
}
