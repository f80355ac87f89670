package console

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// peerModel is a peer account by the rules of the ledger and of recorders, without regard to percentages.
type peerModel struct {
	line, limit                     uint64
	free                            int // credits less debits, the line included
	arrears, heldIn, heldOut, order int
}

// headroom is what the ledger still lets the peer send.
func (m *peerModel) headroom() int { return max(0, m.free-m.heldIn-m.order) }

func (m *peerModel) position() int { return m.free - int(m.line) - m.arrears }

// room is what recorders still send to the peer.
func (m *peerModel) room() int {
	return int(m.limit) + max(0, -m.position()) - max(0, m.position()) - m.heldOut
}

// step changes the model as packets, orders and operators do, if the ledger or the recorder lets it.
func (m *peerModel) step(random *rand.Rand) {
	n := 1 + random.IntN(8)
	switch random.IntN(8) {
	case 0:
		if n <= m.headroom() {
			m.heldIn += n
		}
	case 1: // a fulfill, in part
		n = min(n, m.heldIn)
		m.heldIn, m.free = m.heldIn-n, m.free-n
	case 2:
		m.heldIn -= min(n, m.heldIn)
	case 3:
		if n <= m.room() {
			m.heldOut += n
		}
	case 4:
		n = min(n, m.heldOut)
		m.heldOut, m.free = m.heldOut-n, m.free+n
	case 5: // an order of what we owe; packets may use that up before it is paid
		if n <= min(m.position(), m.headroom()) {
			m.order += n
		}
	case 6: // paid or cancelled
		if random.IntN(2) == 0 {
			m.free -= m.order
		}
		m.order = 0
	case 7: // a debit beyond the headroom, and the collection of arrears
		if random.IntN(4) == 0 {
			pays := min(n, m.headroom())
			m.free, m.arrears = m.free-pays, m.arrears+n-pays
		} else {
			pays := min(m.arrears, m.headroom())
			m.free, m.arrears = m.free-pays, m.arrears-pays
		}
	}
}

func (m *peerModel) peer() *peer {
	amount := func(n int) ledger.Amount { return ledger.NewAmount(uint64(n)) }
	p := &peer{payableCap: ledger.NewAmount(m.limit), hasCap: true}
	p.Balance = accounts.Balance{
		CreditLine: ledger.NewAmount(m.line), Arrears: amount(m.arrears), Headroom: amount(m.headroom()),
		Payable: amount(max(0, m.position())), Receivable: amount(max(0, -m.position())),
		HeldIn: amount(m.heldIn), HeldOut: amount(m.heldOut), Settling: amount(m.order),
	}
	p.derive()
	return p
}

// A line is 100 % used exactly when the peer can send nothing more, and our cap when recorders send nothing more to
// the peer: whatever is owed, held, being paid or in arrears.
func TestPercentagesFollowHeadroomAndRoom(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test
	fullLines, fullCaps, beyond := 0, 0, 0
	for range 300 {
		m := peerModel{line: 1 + random.Uint64N(20), limit: 1 + random.Uint64N(20)}
		m.free = int(m.line)
		for range 200 {
			m.step(random)
			p := m.peer()
			if m.arrears == 0 {
				require.Equal(t, m.headroom() == 0, p.lineUsed == 100, "%+v: %d %%", m, p.lineUsed)
			} else { // arrears take the headroom that comes
				require.Equal(t, m.headroom() <= m.arrears, p.lineUsed >= 100, "%+v: %d %%", m, p.lineUsed)
			}
			require.Equal(t, m.room() == 0, takenOfCap(&p.Balance).Cmp(p.payableCap.Big()) == 0, "%+v", m)
			require.Equal(t, m.room() <= 0, p.capUsed >= 100, "%+v: %d %%", m, p.capUsed)
			if p.lineUsed == 100 {
				fullLines++
			}
			if p.capUsed == 100 {
				fullCaps++
			}
			if m.order > m.position() && m.order > 0 {
				beyond++
			}
			d := drawBar(p)
			require.Equal(t, p.lineUsed >= 100, d.Owes+d.OwesHeld == barHalf, "%+v: %+v", m, d)
			require.Equal(t, p.capUsed >= 100, d.Owed+d.OwedHeld == barHalf, "%+v: %+v", m, d)
		}
	}
	require.Positive(t, min(fullLines, fullCaps, beyond), "the model has full lines, full caps, and orders beyond what we owe")
}

// A line of 0 is a limit. Only an unlimited line and a peer without a cap have none. The cap of a peer without
// a known name is unknown, and so is all of an incomplete peer.
func TestSidesOfABar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer      peer
		line, cap scale
		text      string
	}{
		"no line, no cap":  {peer{}, scaleLimit, scaleNone, "nothing owed, no line"},
		"a cap of 0":       {peer{hasCap: true}, scaleLimit, scaleLimit, "nothing owed, no line, a cap of 0"},
		"unlimited":        {peer{PeerEntry: accounts.PeerEntry{Balance: accounts.Balance{CreditLine: accounts.Unlimited}}}, scaleNone, scaleNone, "nothing owed, unlimited line"},
		"without a name":   {peer{capUnknown: true}, scaleLimit, scaleUnknown, "nothing owed, no line, cap unknown"},
		"incomplete":       {peer{PeerEntry: accounts.PeerEntry{Incomplete: true}, hasCap: true}, scaleUnknown, scaleUnknown, "no figures: the peer is incomplete in the ledger"},
		"over a line of 0": {peer{PeerEntry: accounts.PeerEntry{Balance: accounts.Balance{Receivable: ledger.NewAmount(1), Arrears: ledger.NewAmount(1)}}}, scaleLimit, scaleNone, "owes us 1 USD, 999 % or more of the line 0 used"},
	} {
		c.peer.Asset = accounts.Asset{Code: "USD", Ledger: 1}
		c.peer.derive()
		d := drawBar(&c.peer)
		require.Equal(t, []scale{c.line, c.cap}, []scale{d.Line, d.Cap}, name)
		require.Equal(t, c.text, d.Text, name)
	}
}
