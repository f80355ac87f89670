package rfc0038_test

import (
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

var (
	usd9   = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	placed = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
)

// bench is a Settler of an engine that pays millionths, with a clock and notes of its events.
type bench struct {
	*rfc0038.Settler

	engine        *scriptedEngine
	book          *accounts.Book
	alice         accounts.PeerAccount
	now           time.Time
	stuck, freed  []*rfc0038.StuckError
	short         []rfc0038.ShortAnswer
	lastPlacement uint64
}

func newBench(t *testing.T, answers []http.HandlerFunc, options ...func(*rfc0038.SettlerConfig)) *bench {
	t.Helper()
	b := &bench{engine: newScriptedEngine(t, answers...), now: placed}
	var err error
	b.book, err = accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd9}})
	require.NoError(t, err)
	b.alice, err = b.book.PeerAccount("alice", usd9)
	require.NoError(t, err)
	cfg := b.config(t)
	for _, set := range options {
		set(&cfg)
	}
	b.Settler, err = rfc0038.NewSettler(cfg)
	require.NoError(t, err)
	return b
}

func (b *bench) config(t *testing.T) rfc0038.SettlerConfig {
	t.Helper()
	ids, err := rfc0038.NewAccountIDs(b.book, nil)
	require.NoError(t, err)
	return rfc0038.SettlerConfig{
		Client: newClient(t, b.engine.URL), IDs: ids,
		EngineScales: accounts.Rules[*uint8]{Default: new(uint8(6))},
		Clock:        func() time.Time { return b.now },
		Events: rfc0038.SettlerEvents{
			Stuck:    func(e *rfc0038.StuckError) { b.stuck = append(b.stuck, e) },
			Unstuck:  func(e *rfc0038.StuckError) { b.freed = append(b.freed, e) },
			TookLess: func(s rfc0038.ShortAnswer) { b.short = append(b.short, s) },
		},
	}
}

// order is alice's next order.
func (b *bench) order(units uint64) settlement.Order {
	b.lastPlacement++
	return settlement.Order{
		ID: ledger.NewID(b.lastPlacement, 7), Account: b.alice, Asset: usd9, Sequence: b.lastPlacement,
		Amount: ledger.NewAmount(units), PlacedAt: placed,
	}
}

// paths lists the requests since the last call as "METHOD path key body".
func (b *bench) paths() []string {
	var list []string
	for _, r := range b.engine.take() {
		list = append(list, strings.Join(strings.Fields(strings.Join([]string{r.method, r.path, r.header.Get("Idempotency-Key"), r.body}, " ")), " "))
	}
	return list
}

const (
	createAlice = `POST /accounts {"id":"1-alice"}`
	settleAlice = `POST /accounts/1-alice/settlements `
	key1        = `00000000000000070000000000000001 `
	key2        = `00000000000000070000000000000002 `
)

var created = answerWith(201, "application/json", `{"id":"1-alice"}`)

func status(code int) http.HandlerFunc { return answerWith(code, "text/plain", "because") }

func TestSettlerPays(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{status(201)})
	paid, err := b.Settle(t.Context(), b.order(1_999_999_999))
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(1_999_999_000), paid, "the rest below a millionth stays owed")
	require.Equal(t, []string{createAlice, settleAlice + key1 + `{"amount":"1999999","scale":6}`}, b.paths())
	paid, err = b.Settle(t.Context(), b.order(1000))
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(1000), paid)
	require.Equal(t, []string{settleAlice + key2 + `{"amount":"1","scale":6}`}, b.paths(), "the account is created once")
	require.Zero(t, b.Stats().Unanswered)
	require.Equal(t, uint64(2), b.Stats().Requests[rfc0038.RequestClass{Kind: rfc0038.KindSettlement, Outcome: rfc0038.OutcomeTaken}])
}

// Equal payments under different keys are two payments.
func TestEqualOrdersAreTwo(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{status(201)})
	for range 2 {
		_, err := b.Settle(t.Context(), b.order(5000))
		require.NoError(t, err)
	}
	require.Equal(t, []string{createAlice, settleAlice + key1 + `{"amount":"5","scale":6}`, settleAlice + key2 + `{"amount":"5","scale":6}`}, b.paths())
}

func TestSettlerScales(t *testing.T) {
	t.Parallel()
	for scale, want := range map[uint8]struct {
		sent string
		paid uint64
	}{
		0:  {`{"amount":"1","scale":0}`, 1_000_000_000},
		8:  {`{"amount":"123456789","scale":8}`, 1_234_567_890},
		9:  {`{"amount":"1234567891","scale":9}`, 1_234_567_891},
		28: {`{"amount":"1234567891","scale":9}`, 1_234_567_891}, // the engine converts exactly
	} {
		b := newBench(t, []http.HandlerFunc{status(201)}, func(c *rfc0038.SettlerConfig) {
			c.EngineScales = accounts.Rules[*uint8]{Default: new(uint8(3)), PeerAsset: map[accounts.PeerAsset]*uint8{{Peer: "alice", Asset: usd9}: new(scale)}}
		})
		paid, err := b.Settle(t.Context(), b.order(1_234_567_891))
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(want.paid), paid)
		require.Equal(t, settleAlice+key1+want.sent, b.paths()[1])
	}
	b := newBench(t, []http.HandlerFunc{status(201)}, func(c *rfc0038.SettlerConfig) { c.EngineScales = accounts.Rules[*uint8]{} })
	order := b.order(1)
	order.Amount = ledger.ClampAmount(new(big.Int).Lsh(big.NewInt(1), 120))
	paid, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, order.Amount, paid, "the asset's scale is the default, and amounts have 128 bits")
	require.Equal(t, ledger.NewAmount(1), b.UnitOf("alice", usd9))
}

// An order below one unit of the engine is declined and not sent as 0.
func TestOrderBelowUnitIsDeclined(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{status(201)})
	paid, err := b.Settle(t.Context(), b.order(999))
	require.ErrorIs(t, err, settlement.ErrDeclined)
	require.ErrorIs(t, err, rfc0038.ErrBelowUnit)
	require.ErrorContains(t, err, "0.000000999 USD, and the unit is 0.000001000 USD")
	require.True(t, paid.IsZero())
	require.Empty(t, b.paths())
	require.Equal(t, ledger.NewAmount(1000), b.UnitOf("alice", usd9), "the minimum for AtLeast")
	require.Equal(t, ledger.NewAmount(1000), b.Rail("").Unit("alice", usd9), "what is left below it is no payment in part")
	require.Zero(t, b.Stats().Unanswered)
}

// An unknown account is created, and the same key is sent again.
func TestUnknownAccountIsCreated(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(404), created, status(201)})
	_, err := b.Settle(t.Context(), b.order(1000))
	require.NoError(t, err)
	settle := settleAlice + key1 + `{"amount":"1","scale":6}`
	require.Equal(t, []string{createAlice, settle, createAlice, settle}, b.paths())

	b = newBench(t, []http.HandlerFunc{status(503), created, status(404), created, status(404), status(201)})
	order := b.order(1000)
	for _, want := range []int{503, 404} {
		_, err = b.Settle(t.Context(), order)
		var answer *rfc0038.AnswerError
		require.ErrorAs(t, err, &answer)
		require.Equal(t, want, answer.Status)
		require.NotErrorIs(t, err, settlement.ErrPending)
		require.NotErrorIs(t, err, settlement.ErrDeclined)
	}
	require.Equal(t, []string{createAlice, createAlice, settle, createAlice, settle}, b.paths(), "without the account nothing is sent")
	_, err = b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, []string{settle}, b.paths())

	b = newBench(t, []http.HandlerFunc{created, status(404), status(503), created, status(201)})
	order = b.order(1000)
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Equal(t, []string{createAlice, settle, createAlice}, b.paths())
	_, err = b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, []string{createAlice, settle}, b.paths(), "the account is missing: it is created first")
}

// A refused creation says nothing about the settlement: the order is tried again.
func TestRefusedCreationIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{status(405), status(409), created, status(201)})
	order := b.order(1000)
	for _, cause := range []error{rfc0038.ErrRefused, rfc0038.ErrKeySeen} {
		_, err := b.Settle(t.Context(), order)
		var failed *rfc0038.CreateError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, settlement.ErrPending)
	}
	_, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Empty(t, b.stuck)
}

// An engine that creates another account than asked for would create one more with each attempt: the order waits for an
// operator, and its settlement is not sent.
func TestOtherAccountWaits(t *testing.T) {
	t.Parallel()
	other := answerWith(201, "", `{"id":"other"}`)
	b := newBench(t, []http.HandlerFunc{other, created, status(201)})
	order := b.order(1000)
	for range 3 {
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, rfc0038.ErrOtherAccount)
		require.ErrorIs(t, err, settlement.ErrPending)
		require.ErrorContains(t, err, `"other" for "1-alice"`)
	}
	require.Equal(t, []string{createAlice}, b.paths())
	require.Len(t, b.stuck, 1)
	require.False(t, b.stuck[0].IsParked())
	require.Equal(t, 1, b.Stats().Stopped)
	require.NoError(t, b.Retry(order.ID), "the engine is mended")
	_, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Len(t, b.paths(), 2)
}

// All answers that tell nothing, and no answer, are asked for again under the same key.
func TestUnknownOutcomeIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(500), status(503), status(429), status(302), status(401), answerRaw(""), status(201)})
	order := b.order(1000)
	for range 6 {
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, settlement.ErrPending, "so that the rail's breaker counts it")
		require.NotErrorIs(t, err, settlement.ErrDeclined)
		b.now = b.now.Add(time.Minute)
	}
	require.Equal(t, 6*time.Minute, b.Stats().OldestUnanswered)
	require.Equal(t, 1, b.Stats().Unanswered)
	paid, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(1000), paid)
	for _, r := range b.paths()[1:] {
		require.Equal(t, settleAlice+key1+`{"amount":"1","scale":6}`, r)
	}
	require.Zero(t, b.Stats().OldestUnanswered)
}

// A key that the engine has seen, and a refused one, wait for an operator and are not sent again.
func TestStuckSettlementsWait(t *testing.T) {
	t.Parallel()
	for code, c := range map[int]struct {
		reason error
		parked bool
	}{409: {rfc0038.ErrKeySeen, true}, 400: {rfc0038.ErrRefused, false}, 405: {rfc0038.ErrRefused, false}, 413: {rfc0038.ErrRefused, false}} {
		b := newBench(t, []http.HandlerFunc{status(503), created, status(code), status(201)})
		order := b.order(1999)
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		b.engine.take()
		for i := range 3 {
			_, err = b.Settle(t.Context(), order)
			require.ErrorIs(t, err, settlement.ErrPending)
			require.ErrorIs(t, err, rfc0038.ErrStuck)
			require.ErrorIs(t, err, c.reason)
			require.NotErrorIs(t, err, settlement.ErrDeclined)
			require.Len(t, b.engine.take(), max(0, 2-2*i), "only the first call sends")
			b.now = b.now.Add(time.Hour)
		}
		list := b.Stuck()
		require.Len(t, list, 1)
		stuck := list[0]
		require.Equal(t, order, stuck.Order)
		require.Equal(t, "1-alice", stuck.WireID)
		require.True(t, stuck.Quantity.Equal(quantity(t, "1", 6)))
		require.Equal(t, placed, stuck.Since)
		require.Equal(t, c.parked, stuck.IsParked())
		answered, excerpt := stuck.Answer()
		require.Equal(t, code, answered)
		require.Equal(t, "because", excerpt)
		require.Equal(t, list, b.stuck, "reported once")
		require.ErrorContains(t, err, `0.000001999 USD to account "1-alice" under key 00000000000000070000000000000001 since 2026-11-30T12:00:00Z`)
		stats := b.Stats()
		require.Equal(t, 1, stats.Unanswered)
		require.Equal(t, c.parked, stats.Parked == 1)
		require.Equal(t, !c.parked, stats.Stopped == 1)
		require.Zero(t, stats.OldestUnanswered)

		require.ErrorIs(t, b.DeleteAccount(t.Context(), b.alice), rfc0038.ErrKeyOpen)
		require.ErrorIs(t, b.Retry(ledger.NewID(9, 9)), rfc0038.ErrNotStuck)
		require.NoError(t, b.Retry(order.ID))
		require.ErrorIs(t, b.Retry(order.ID), rfc0038.ErrNotStuck)
		require.Equal(t, list, b.freed)
		paid, err := b.Settle(t.Context(), order)
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(1000), paid)
		require.Equal(t, []string{settleAlice + key1 + `{"amount":"1","scale":6}`}, b.paths())
		require.Empty(t, b.Stuck())
	}
}

// A refused settlement may have been paid if an earlier request for it had no final answer, be it of an
// earlier process.
func TestRefusedSettlementsMayBePaid(t *testing.T) {
	t.Parallel()
	refused := func(b *bench, order settlement.Order) *rfc0038.StuckError {
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, rfc0038.ErrRefused)
		require.Len(t, b.Stuck(), 1)
		return b.Stuck()[0]
	}
	for _, unknown := range []http.HandlerFunc{answerRaw(""), status(500), status(302)} {
		b := newBench(t, []http.HandlerFunc{created, unknown, status(400), status(400)})
		order := b.order(1999)
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.True(t, refused(b, order).IsParked())
		require.Equal(t, 1, b.Stats().Parked)
		require.NoError(t, b.Retry(order.ID))
		require.True(t, refused(b, order).IsParked(), "a refusal now says nothing about then")
	}
	b := newBench(t, []http.HandlerFunc{created, status(409), status(400)})
	order := b.order(1999)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrKeySeen)
	require.NoError(t, b.Retry(order.ID))
	require.True(t, refused(b, order).IsParked())

	b = newBench(t, []http.HandlerFunc{created, status(400)})
	order = b.order(1999)
	order.PlacedAt = placed.Add(-time.Second)
	require.True(t, refused(b, order).IsParked(), "placed before this process began")
	b = newBench(t, []http.HandlerFunc{created, status(400)})
	require.False(t, refused(b, b.order(1999)).IsParked())
}

// An order closed by hand is forgotten with its event, or with the account's next order.
func TestClosedOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(409)})
	var voided, paid, partly int
	events := b.Watch(settlement.Events{
		Voided: func(settlement.Order, error) { voided++ }, Paid: func(settlement.Payment) { paid++ }, PartlyPaid: func(settlement.Payment) { partly++ },
	})
	park := func() settlement.Order {
		order := b.order(1000)
		_, err := b.Settle(t.Context(), order)
		require.ErrorIs(t, err, rfc0038.ErrStuck)
		require.Len(t, b.Stuck(), 1)
		return order
	}
	first := park()
	second := park()
	require.Equal(t, first.ID, b.freed[0].Order.ID)
	events.Voided(first, nil)
	require.Len(t, b.Stuck(), 1, "an earlier order")
	events.Voided(second, nil)
	require.Empty(t, b.Stuck())
	events.Paid(settlement.Payment{Order: park()})
	require.Empty(t, b.Stuck())
	events.PartlyPaid(settlement.Payment{Order: park()})
	require.Empty(t, b.Stuck())
	require.Len(t, b.freed, 4)
	require.Equal(t, []int{2, 1, 1}, []int{voided, paid, partly})
	none := b.Watch(settlement.Events{})
	none.Paid(settlement.Payment{})
	none.PartlyPaid(settlement.Payment{})
	none.Voided(settlement.Order{}, nil)
}

// An order that is closed by hand while its request is under way is not listed.
func TestOrderClosedDuringItsRequest(t *testing.T) {
	t.Parallel()
	var b *bench
	var order settlement.Order
	b = newBench(t, []http.HandlerFunc{created, func(w http.ResponseWriter, r *http.Request) {
		b.Forget(order)
		status(409)(w, r)
	}})
	order = b.order(1000)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, settlement.ErrPending)
	require.ErrorIs(t, err, rfc0038.ErrKeySeen)
	require.NotErrorIs(t, err, rfc0038.ErrStuck)
	require.Empty(t, b.Stuck())
	require.Empty(t, b.stuck)
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrKeySeen)
}

// A key that the engine may have forgotten is not sent again: the engine would pay twice.
func TestOldKeysAreNotSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, answerRaw("")})
	order := b.order(1000)
	b.now = placed.Add(23 * time.Hour)
	_, err := b.Settle(t.Context(), order)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Len(t, b.engine.take(), 2)
	b.now = b.now.Add(1)
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrKeyTooOld)
	require.ErrorIs(t, err, settlement.ErrPending)
	require.Empty(t, b.engine.take())
	require.True(t, b.Stuck()[0].IsParked())
	answered, _ := b.Stuck()[0].Answer()
	require.Zero(t, answered)
	require.NoError(t, b.Retry(order.ID), "an operator has found out")
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Len(t, b.engine.take(), 1)

	b = newBench(t, []http.HandlerFunc{created, status(201)}, func(c *rfc0038.SettlerConfig) { c.KeyLifetime = -1 })
	b.now = placed.Add(1000 * time.Hour)
	_, err = b.Settle(t.Context(), b.order(1000))
	require.NoError(t, err, "an engine that keeps keys for ever")
}

// An amount that does not fit the engine's numbers is not sent.
func TestLargeAmountsAreNotSent(t *testing.T) {
	t.Parallel()
	most := new(big.Int).SetUint64(1<<64 - 1)
	b := newBench(t, []http.HandlerFunc{created, status(201)}, func(c *rfc0038.SettlerConfig) { c.MaxAmount = most })
	order := b.order(0)
	order.Amount = ledger.ClampAmount(new(big.Int).Mul(most, big.NewInt(1000)))
	_, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	b.engine.take()
	order = b.order(0)
	order.Amount = ledger.ClampAmount(new(big.Int).Lsh(big.NewInt(1000), 64))
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrAmountTooLarge)
	require.ErrorIs(t, err, settlement.ErrPending)
	require.Empty(t, b.engine.take())
	require.Equal(t, 1, b.Stats().Stopped)
}

func TestSmallerAnswerIsReported(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{
		created, answerWith(200, "", `{"amount":"1","scale":2}`), answerWith(200, "", `{"amount":"20000000","scale":9}`), answerWith(200, "", `{"amount":"3","scale":2}`),
	})
	for range 3 {
		paid, err := b.Settle(t.Context(), b.order(20_000_000))
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(20_000_000), paid)
	}
	require.Len(t, b.short, 1)
	require.Equal(t, uint64(1), b.short[0].Order.Sequence)
	require.True(t, b.short[0].Sent.Equal(quantity(t, "2", 2)))
	require.True(t, b.short[0].Answered.Equal(quantity(t, "1", 2)))
}

// An order that the engine has taken is not asked for again by this process.
func TestTakenOrderIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(201), status(409)})
	order := b.order(1000)
	for range 2 {
		paid, err := b.Settle(t.Context(), order)
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(1000), paid)
	}
	require.Len(t, b.engine.take(), 2)
}

func TestWakeRepeatsNewestKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(201), status(201), status(201), status(409), status(500), status(201), created, status(201)})
	wake := func() (sent bool) {
		sent, err := b.Wake(t.Context(), b.alice)
		require.NoError(t, err)
		return sent
	}
	require.False(t, wake(), "nothing was taken")
	for range 2 {
		_, err := b.Settle(t.Context(), b.order(3000))
		require.NoError(t, err)
	}
	b.engine.take()
	require.True(t, wake())
	require.True(t, wake(), "409")
	require.Equal(t, []string{settleAlice + key2 + `{"amount":"3","scale":6}`, settleAlice + key2 + `{"amount":"3","scale":6}`}, b.paths())
	_, err := b.Wake(t.Context(), b.alice)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Empty(t, b.Stuck())
	b.engine.take()
	b.now = placed.Add(24 * time.Hour)
	require.False(t, wake(), "the engine may have forgotten the key")
	b.now = placed
	require.NoError(t, b.EnsureAccount(t.Context(), b.alice))
	require.True(t, wake())
	require.Len(t, b.paths(), 1, "the account is there")
	require.NoError(t, b.CreateAccount(t.Context(), b.alice))
	require.False(t, wake(), "the account may stand in an engine that lost its keys")
	require.Equal(t, []string{createAlice}, b.paths())
}

// An order that the engine has taken is not sent again either if the engine may have lost its store since, and the answer
// was not booked.
func TestTakenOrderIsNotSentAfterCreation(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(201), status(404), created, status(201)})
	order := b.order(1000)
	_, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	_, err = b.Wake(t.Context(), b.alice)
	require.ErrorIs(t, err, rfc0038.ErrUnknownAccount)
	require.NoError(t, b.CreateAccount(t.Context(), b.alice))
	b.paths()
	paid, err := b.Settle(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(1000), paid)
	require.Empty(t, b.paths())
}

// An engine that no longer has the account has forgotten the key too: Wake would have it paid again.
func TestWakeForgetsKeyOfMissingAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(201), status(404), created})
	_, err := b.Settle(t.Context(), b.order(3000))
	require.NoError(t, err)
	sent, err := b.Wake(t.Context(), b.alice)
	require.True(t, sent)
	require.ErrorIs(t, err, rfc0038.ErrUnknownAccount)
	b.paths()
	sent, err = b.Wake(t.Context(), b.alice)
	require.NoError(t, err)
	require.False(t, sent)
	require.NoError(t, b.EnsureAccount(t.Context(), b.alice))
	require.Equal(t, []string{createAlice}, b.paths())
}

// A settlement that the engine takes over while it creates the account is in the engine of now, so Wake knows it.
func TestWakeAfterSettlementDuringCreation(t *testing.T) {
	t.Parallel()
	var b *bench
	order := (&bench{}).order(1000)
	b = newBench(t, []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		if _, err := b.Settle(r.Context(), order); err != nil {
			t.Error(err)
		}
		created(w, r)
	}, created, status(201)})
	order.Account = b.alice
	require.NoError(t, b.EnsureAccount(t.Context(), b.alice))
	sent, err := b.Wake(t.Context(), b.alice)
	require.NoError(t, err)
	require.True(t, sent)
	require.Len(t, b.paths(), 4)
}

func TestDeleteAccountAfterSettlements(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created, status(201), status(500), status(404), created, status(201)})
	_, err := b.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd9})
	require.NoError(t, err)
	_, err = b.Settle(t.Context(), b.order(3000))
	require.NoError(t, err)
	b.engine.take()
	require.NoError(t, b.DeleteAccount(t.Context(), b.alice))
	require.Equal(t, []string{"DELETE /accounts/1-alice", "DELETE /accounts/1-alice"}, b.paths())
	sent, err := b.Wake(t.Context(), b.alice)
	require.NoError(t, err)
	require.False(t, sent)
	_, err = b.Settle(t.Context(), b.order(3000))
	require.NoError(t, err)
	require.Equal(t, createAlice, b.paths()[0], "a reopened peer gets its account back")
}

func TestSettlerRefusesOwnAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created})
	own, err := b.book.OwnAccount(usd9)
	require.NoError(t, err)
	order := b.order(1000)
	order.Account = own
	_, err = b.Settle(t.Context(), order)
	require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID)
	require.ErrorIs(t, b.CreateAccount(t.Context(), own), rfc0038.ErrInvalidAccountID)
	require.ErrorIs(t, b.DeleteAccount(t.Context(), own), rfc0038.ErrInvalidAccountID)
	sent, err := b.Wake(t.Context(), own)
	require.False(t, sent)
	require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID)
	require.Empty(t, b.engine.take())
}

func TestSettlerConfigValidate(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created})
	good := b.config(t)
	require.NoError(t, good.Validate())
	for field, change := range map[string]func(*rfc0038.SettlerConfig){
		"Client":                   func(c *rfc0038.SettlerConfig) { c.Client = nil },
		"IDs":                      func(c *rfc0038.SettlerConfig) { c.IDs = nil },
		"MaxAmount":                func(c *rfc0038.SettlerConfig) { c.MaxAmount = new(big.Int) },
		"EngineScales.Default":     func(c *rfc0038.SettlerConfig) { c.EngineScales.Default = new(uint8(29)) },
		"EngineScales.Peer[\"a\"]": func(c *rfc0038.SettlerConfig) { c.EngineScales.Peer = map[string]*uint8{"a": new(uint8(255))} },
		"EngineScales.Asset[USD/9]": func(c *rfc0038.SettlerConfig) {
			c.EngineScales.Asset = map[accounts.Asset]*uint8{usd9: new(uint8(29))}
			c.EngineScales.Default = new(uint8(255)) // does not apply
		},
		"EngineScales.PeerAsset[\"a\" in USD/9]": func(c *rfc0038.SettlerConfig) {
			c.EngineScales.PeerAsset = map[accounts.PeerAsset]*uint8{{Peer: "a", Asset: usd9}: new(uint8(100))}
		},
	} {
		cfg := good
		change(&cfg)
		err := cfg.Validate()
		require.ErrorIs(t, err, accounts.ErrInvalid)
		require.ErrorContains(t, err, ": "+field+" ")
		require.NotContains(t, err.Error(), "\n", field)
		_, err = rfc0038.NewSettler(cfg)
		require.ErrorContains(t, err, field)
	}
	cfg := good
	cfg.EngineScales.Default = new(uint8(28))
	require.NoError(t, cfg.Validate(), "19 apart")
}

// The rail's calls have time for three requests.
func TestSettlerRail(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{created})
	rail := b.Rail("xrp")
	require.Equal(t, "xrp", rail.Name)
	require.Same(t, b.Settler, rail.Settler)
	require.Equal(t, 95*time.Second, rail.Timeout)
	require.NoError(t, rail.Validate())
}
