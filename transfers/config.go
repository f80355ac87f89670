package transfers

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config configures a [Recorder]. The zero value is usable.
type Config struct {
	// Lanes is the number of requests in flight at once. More lanes than the ledger has
	// sessions (cluster.Config.Sessions) bring nothing. Operations on a packet stay in
	// order; packets have no order among each other. Default 2.
	Lanes int
	// MaxBacklog is how many operations may wait or be in flight. Each takes 256 bytes;
	// the memory is kept for later operations. Fulfills left in the Journal come on top.
	// Default 65536.
	MaxBacklog int
	// BacklogResume is the number of operations down to which a full backlog must drain before
	// it takes prepares again. Fulfills, rejects and forwards need only a free place: their
	// money is promised already. 1 to MaxBacklog. Default half of
	// MaxBacklog.
	BacklogResume int
	// HoldMargin is how long a hold outlives the packet's Expiry: a fulfill received in
	// time is still booked. Default 2 s.
	HoldMargin time.Duration
	// MinHold is the least time left until Expiry when a packet without Hold is prepared.
	// Default 1 s.
	MinHold time.Duration
	// JournalFolder is a folder, created if missing, for fulfills without an answer from the ledger.
	// Fulfills in the journal outlive the process: the next recorder with the same folder
	// records them. A folder is for a single recorder at a time, and always for the same
	// ledger: only the namespace is checked, and fulfills refused by a wrong ledger are
	// forgotten. Submit of a fulfill then takes as long as a write to disk, shared by all
	// concurrent callers. Requires Events.Replayed. Default: no journal.
	JournalFolder string
	// AllowArrears admits new packets from peers in arrears ([accounts.Balance].Arrears), as
	// far as their accounts have headroom. Otherwise they are refused ([ErrInArrears]) from
	// the refresh after the peer sent something: at most a
	// [accounts.Config].SuspensionPollInterval later, or more if over 4000 peers send per
	// interval. Default false.
	AllowArrears bool
	// GuardConversions refuses ([ErrAmounts]) new packets between two assets that deliver 0
	// for more than 0, or more than 0 for 0 unless the receiver's asset has AllowLoss.
	// Deployed connectors forward packets that deliver 0 for more than 0, if a packet is
	// too small for the receiver's scale. Default false.
	GuardConversions bool
	// Rate returns the exchange rate between whole units of two assets
	// ([accounts.NewConverter]), or nil for no check. A new packet paying out more than the
	// worth of In is refused ([ErrAmounts]), unless the receiver's asset has AllowLoss.
	// Rate is called for each new packet between two assets, concurrently, and must not
	// block. Default: no check.
	Rate func(from, to accounts.Asset) *accounts.Converter
	// Events are the callbacks of the recorder. Default: no callbacks.
	Events Events
	// Tracer follows batches, and operations if it is an [OperationTracer]. Default: none.
	Tracer BatchTracer
	// Clock is used for ids and holds. Default time.Now.
	Clock func() time.Time
}

// Events are callbacks of a [Recorder]; nil fields are skipped. Callbacks run in the
// recorder's goroutines; BacklogFull and JournalFailed also in those of callers. Callbacks may run
// concurrently, must not block, must not call the Recorder, and must not keep slices.
type Events struct {
	// Batch is called for each batch when all operations are answered or given up.
	Batch func(Batch)
	// BalancesChanged receives, after each batch, the peers of resolved and forwarded
	// packets: the amount owed to them, or the amount free to be paid, may have changed.
	// BalancesChanged returns before the callers of the batch get their results.
	BalancesChanged func([]accounts.PeerAccount)
	// BacklogFull is called with true when the backlog is full, and with false when it has
	// drained to BacklogResume.
	BacklogFull func(full bool)
	// Late receives, after each batch with any, the packets booked by a correction: see
	// Result.Late. An operation recorded twice is reported twice, the second time as already
	// applied.
	Late func([]Result)
	// Replayed receives the results of fulfills left in the Journal by an earlier
	// recorder, after each batch with any, also before NewRecorder has returned. A fulfill
	// refused by the ledger is kept nowhere else: its amount can be booked with
	// [Recorder.Forward] under a new id. After a crash the same results may be reported
	// again. Fulfills of unknown outcome stay in the Journal.
	Replayed func([]Result)
	// RefreshFailed is called when a read of suspensions, arrears or balances failed. The
	// recorder reads them once per [accounts.Config].SuspensionPollInterval, and goes on
	// with the earlier values.
	RefreshFailed func(error)
	// JournalFailed is called with faults of the Journal. After an error matching
	// [ErrJournal] the Journal keeps nothing more: make room, and open a new recorder.
	// Otherwise the Journal goes on.
	JournalFailed func(error)
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

// Validate reports all faults of the configuration at once. The errors match
// [accounts.ErrInvalid] and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "recorder config", Field: field, Reason: reason})
		}
	}
	const negative = "must not be negative"
	check(c.Lanes >= 0, "Lanes", negative)
	check(c.MaxBacklog >= 0, "MaxBacklog", negative)
	check(c.BacklogResume >= 0, "BacklogResume", negative)
	check(c.BacklogResume <= c.withDefaults().MaxBacklog, "BacklogResume", "must not be above MaxBacklog")
	check(c.JournalFolder == "" || c.Events.Replayed != nil, "Events.Replayed", "must be set with JournalFolder: a promised fulfill that is refused now would be lost")
	check(c.HoldMargin >= 0, "HoldMargin", negative)
	check(c.MinHold >= 0, "MinHold", negative)
	return errors.Join(errs...)
}
