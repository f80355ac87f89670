package transfers

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config says how a Recorder works. The zero value is usable.
type Config struct {
	// Lanes is how many requests are in flight at once; more than the ledger has
	// sessions (cluster.Config.Sessions) do no good. Operations on one packet stay in
	// order; there is none between packets. Default 2.
	Lanes int
	// MaxBacklog is how many operations may be waiting or in flight: the high water
	// mark. Each takes 248 bytes, which are kept to be used again. What is left in
	// the Journal comes on top. Default 65536.
	MaxBacklog int
	// BacklogResume is the low water mark. A backlog that was full takes no prepare
	// before it has sunk so far; all other operations, which are about money
	// already promised, need only a free place. 1 to Backlog. Default half of
	// Backlog.
	BacklogResume int
	// HoldMargin is how long a hold outlives its packet's Expiry, so that a
	// fulfill that came in time is still booked. Default 2 s.
	HoldMargin time.Duration
	// MinHold is the least time that must be left until a packet's Expiry when
	// it is prepared, if it comes without a Hold. Default 1 s.
	MinHold time.Duration
	// Journal is a folder, made if it is not there, in which fulfills are kept
	// until the ledger has answered, so that they outlive the process: the next
	// recorder with this folder records what is left in it. One recorder at a time
	// may use it, and only ever for one ledger: only the namespace is checked, and
	// what another ledger refuses is forgotten. Submit of a fulfill then takes as
	// long as the disk, shared by all who submit at the same time. It needs
	// Events.Replayed. Default none.
	Journal string
	// AllowArrears takes new packets from peers in arrears (accounts.Balance.Arrears), as far
	// as their accounts have headroom. Else they are refused (ErrInArrears) from the
	// recorder's next look on, a round (accounts.Config.SuspensionPollInterval) after the peer has sent
	// something, or later if more than 4000 peers send in a round. Default false.
	AllowArrears bool
	// GuardConversions refuses new packets between two assets that deliver 0 for more than 0, or,
	// unless the asset that is paid out has AllowLoss, more than 0 for 0 (ErrAmounts). Deployed
	// connectors forward the former, of packets too small for the receiver's scale. Default false.
	GuardConversions bool
	// Rate is what whole units of one asset are worth in another one (accounts.NewConverter), for
	// a check: a new packet that pays out more than came in is worth is refused (ErrAmounts),
	// unless the asset that it pays out has AllowLoss. nil for two assets is no check. It is
	// asked for each new packet between two assets, concurrently, and must not block. Default none.
	Rate func(from, to accounts.Asset) *accounts.Converter
	// Events are told of what the recorder does. Default none.
	Events Events
	// Clock is used for ids and holds. Default time.Now.
	Clock func() time.Time
}

// Events are functions that a Recorder calls; nil ones are left out. They are
// called from its goroutines, and Backlog and Journal from those of its callers too.
// They may be called concurrently, must not block nor call the Recorder, and must not
// keep the slices that they are given.
type Events struct {
	// Batch is told of each batch when all of it is answered or given up.
	Batch func(Batch)
	// BalancesChanged receives, after each batch, the peers of its resolved and forwarded
	// packets: they may be owed another amount, or may be paid more. It is called before the
	// callers get their results.
	BalancesChanged func([]accounts.PeerAccount)
	// BacklogFull is told when the backlog is full, with true, and when it has sunk to
	// its low water mark, with false.
	BacklogFull func(full bool)
	// Late is told of the packets that were booked by a correction, after each
	// batch with any: see Result.Late. An operation that is recorded again is told
	// again, as already applied.
	Late func([]Result)
	// Replayed is told what became of fulfills that an earlier recorder had left
	// in the journal, after each batch with any, also before NewRecorder has
	// returned. What the ledger refuses of them is kept nowhere else: what is owed
	// of it can be booked with Forward under another id. After a crash it may be told
	// the same again; what is of unknown outcome stays in the journal.
	Replayed func([]Result)
	// RefreshFailed is told when a look at the ledger went wrong that shows who is suspended, who is
	// in arrears and what caps leave; there is one each round (accounts.Config.SuspensionPollInterval). The
	// recorder goes on with what it knew.
	RefreshFailed func(error)
	// Journal is told of faults of the journal. From one that matches ErrJournal
	// on nothing is kept in it any more: make room, and open a new recorder. After
	// others it goes on.
	Journal func(error)
}

func (c Config) withDefaults() Config {
	c.Lanes = cmp.Or(c.Lanes, 2)
	c.MaxBacklog = cmp.Or(c.MaxBacklog, 1<<16)
	c.BacklogResume = cmp.Or(c.BacklogResume, max(1, c.MaxBacklog/2))
	c.HoldMargin = cmp.Or(c.HoldMargin, 2*time.Second)
	c.MinHold = cmp.Or(c.MinHold, time.Second)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Validate reports all that is wrong with the configuration at once, as errors
// that match accounts.ErrInvalid and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "recorder config", Field: field, Reason: reason})
		}
	}
	const negative = "must not be negative"
	check(c.Lanes >= 0, "Lanes", negative)
	check(c.MaxBacklog >= 0, "Backlog", negative)
	check(c.BacklogResume >= 0, "BacklogResume", negative)
	check(c.BacklogResume <= c.withDefaults().MaxBacklog, "BacklogResume", "must not be above Backlog")
	check(c.Journal == "" || c.Events.Replayed != nil, "Events.Replayed", "must be set with Journal: what was promised before and is refused now would be lost")
	check(c.HoldMargin >= 0, "HoldMargin", negative)
	check(c.MinHold >= 0, "MinHold", negative)
	return errors.Join(errs...)
}
