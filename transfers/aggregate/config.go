package aggregate

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Config configures a [Recorder].
type Config struct {
	// JournalFolder is a folder, created if missing, for fulfills that no round has yet. It is for a
	// single recorder at a time, and never a copy. The ledger is always the same, or one that has all
	// its rows (peerledger migrate). Required, unless
	// LoseFulfillsWithProcess is set.
	JournalFolder string
	// LoseFulfillsWithProcess allows a recorder without JournalFolder: acknowledged fulfills of the
	// last moments are lost when the process ends without [Recorder.Close]. Default false.
	LoseFulfillsWithProcess bool
	// RoundInterval is the longest time from a fulfill to its round. Default 50 ms.
	RoundInterval time.Duration
	// MinHold is the least time left until Expiry when a packet is prepared. Default 1 s.
	MinHold time.Duration
	// MaxHold is the longest time left until Expiry when a packet is prepared. Packets that expire
	// later are refused, unless the MaxHold of a peer ([accounts.Limits]) makes their Expiry earlier.
	// Default 60 s.
	MaxHold time.Duration
	// HoldMargin is how long a hold outlives the packet's Expiry. Default 2 s.
	HoldMargin time.Duration
	// LedgerOutage is how long the ledger may be away without a fulfill becoming a late case.
	// Default 1 min.
	LedgerOutage time.Duration
	// ReservationTimeout is how long the ledger holds a reservation, in whole seconds. At least
	// MaxHold, HoldMargin, LedgerOutage and RoundInterval together, and 10 s. After a crash the
	// ledger holds what the next recorder does not need for so long. Default 3 min, or the least.
	ReservationTimeout time.Duration
	// ReservationShare is the part of a sender's headroom that reservations may take, in percent: 1
	// to 100; with an InFlightShare ([accounts.Limits]), the part of what it leaves. The rest is for other recorders and for settlement. A packet that needs more gets it.
	// Default 50.
	ReservationShare int
	// ArchiveRetention is how long packets stay in the archive, the sub-folder "archive" of
	// JournalFolder. A start needs the files of the last minutes. At least MaxHold, HoldMargin and
	// Horizon together. Default 30 days.
	ArchiveRetention time.Duration
	// Horizon is how long a packet is remembered after the end of its hold. Repeats of its fulfill
	// are recognized so long, and refused afterwards ([ErrTooLate]). Default 60 s.
	Horizon time.Duration
	// RequestSize is the largest number of legs of a round. 64 to [ledger.BatchMax]. A server
	// started with --development takes 253. Default [ledger.BatchMax].
	RequestSize int
	// AllowArrears admits new packets from peers in arrears ([accounts.Balance].Arrears). Default
	// false.
	AllowArrears bool
	// GuardConversions refuses ([transfers.ErrAmounts]) new packets between two assets that deliver
	// 0 for more than 0, or more than 0 for 0 unless the receiver's asset has AllowLoss. Default
	// false.
	GuardConversions bool
	// Rate returns the exchange rate between whole units of two assets
	// ([accounts.NewConverter]), or nil for no check. A new packet paying out more than the worth
	// of In is refused ([transfers.ErrAmounts]), unless the receiver's asset has AllowLoss. Rate is
	// called for each new packet between two assets, one at a time, under the recorder's lock: it
	// must not block, and must not call the Recorder. Default: no check.
	Rate func(from, to accounts.Asset) *accounts.Converter
	// Events are the callbacks. Default: no callbacks.
	Events Events
	// Tracer follows rounds. Default: none.
	Tracer RoundTracer
	// Clock is used for ids and expiries. Default time.Now.
	Clock func() time.Time
}

const (
	defaultMaxHold   = time.Minute
	defaultRetention = 30 * 24 * time.Hour
	leastRenewal     = 10 * time.Second
	leastRequest     = 64
	defaultShare     = 50 // percent
	wholeHeadroom    = 100
)

func (c Config) withDefaults() Config {
	c.RoundInterval = cmp.Or(c.RoundInterval, 50*time.Millisecond)
	c.MinHold = cmp.Or(c.MinHold, time.Second)
	c.MaxHold = cmp.Or(c.MaxHold, defaultMaxHold)
	c.HoldMargin = cmp.Or(c.HoldMargin, 2*time.Second)
	c.LedgerOutage = cmp.Or(c.LedgerOutage, time.Minute)
	c.ReservationTimeout = cmp.Or(c.ReservationTimeout, max(3*time.Minute, c.leastTimeout()))
	c.ReservationTimeout = (c.ReservationTimeout + time.Second - 1) / time.Second * time.Second
	c.ArchiveRetention = cmp.Or(c.ArchiveRetention, defaultRetention)
	c.ReservationShare = cmp.Or(c.ReservationShare, defaultShare)
	c.Horizon = cmp.Or(c.Horizon, time.Minute)
	c.RequestSize = cmp.Or(c.RequestSize, ledger.BatchMax)
	return c
}

func (c Config) leastTimeout() time.Duration {
	return c.MaxHold + c.HoldMargin + c.LedgerOutage + c.RoundInterval + leastRenewal
}

// Validate reports all faults of the configuration at once. The errors match
// [accounts.ErrInvalid] and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "rounds config", Field: field, Reason: reason})
		}
	}
	check((c.JournalFolder != "") != c.LoseFulfillsWithProcess, "JournalFolder", "must be set, unless LoseFulfillsWithProcess is")
	d := c.withDefaults()
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"RoundInterval", d.RoundInterval},
		{"MinHold", d.MinHold},
		{"MaxHold", d.MaxHold},
		{"HoldMargin", d.HoldMargin},
		{"LedgerOutage", d.LedgerOutage},
		{"Horizon", d.Horizon},
	} {
		check(f.value > 0 && f.value <= 24*time.Hour, f.name, "must be above 0 and at most 24 h")
	}
	check(d.MinHold <= d.MaxHold, "MinHold", "must not be above MaxHold")
	check(d.ReservationTimeout >= d.leastTimeout(), "ReservationTimeout", "must outlive packets and outages by 10 s: at least "+d.leastTimeout().String())
	check(d.ReservationTimeout <= 7*24*time.Hour, "ReservationTimeout", "must be at most a week")
	least := d.MaxHold + d.HoldMargin + d.Horizon
	check(d.ArchiveRetention >= least, "ArchiveRetention", "must be at least MaxHold, HoldMargin and Horizon together: "+least.String())
	check(d.ReservationShare >= 1 && d.ReservationShare <= wholeHeadroom, "ReservationShare", "must be 1 to 100")
	check(d.RequestSize >= leastRequest && d.RequestSize <= ledger.BatchMax, "RequestSize", "must be 64 to 8189")
	return errors.Join(errs...)
}

// rules returns the settings of the machine; c has its defaults.
func (c *Config) rules(poll time.Duration) rules {
	return rules{
		journal: randomNumber(), seed: [2]uint64{randomNumber(), randomNumber()}, timeout: uint32(c.ReservationTimeout / time.Second), margin: c.HoldMargin, minHold: c.MinHold,
		maxHold: c.MaxHold, outage: c.LedgerOutage + c.RoundInterval, horizon: c.Horizon, interval: c.RoundInterval,
		poll: poll, sharePercent: uint64(c.ReservationShare), maxLegs: c.RequestSize, allowArrears: c.AllowArrears,
		guard: accounts.ConversionGuard{GuardConversions: c.GuardConversions, Rate: c.Rate},
	}
}
