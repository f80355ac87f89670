package connectorbooks

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newRandom returns a source of random numbers. It prints its seed.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// expected is a peer as the generator of the answers knows it.
type expected struct{ line, position int64 } // line -1: any amount

// uuid returns the n-th id.
func uuid(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

// A random interledger-rs: its store has a balance and what is prepaid of each account. The answers are as its routes make them.
func TestRandomInterledgerRS(t *testing.T) {
	t.Parallel()
	r := newRandom(t)
	for range 200 {
		want := map[string]expected{}
		var accounts []map[string]any
		balances := map[string]map[string]any{}
		for i := range 1 + r.IntN(10) {
			name, scale := "peer"+strconv.Itoa(i), r.IntN(20)
			earned, prepaid := r.Int64N(2e14)-1e14, int64(0)
			if earned >= 0 && r.IntN(2) == 0 {
				prepaid = r.Int64N(1e14)
			}
			account := map[string]any{"id": uuid(1, i), "username": name, "asset_code": "ABC", "asset_scale": scale, "min_balance": nil, "settle_threshold": nil, "settle_to": nil}
			e := expected{line: -1, position: earned + prepaid}
			if r.IntN(3) > 0 {
				e.line = r.Int64N(1e18)
				account["min_balance"] = -e.line
			}
			switch r.IntN(3) {
			case 0: // as in Redis, all digits
				account["balance"], account["prepaid_amount"] = strconv.FormatInt(earned, 10), strconv.FormatInt(prepaid, 10)
			case 1: // ilp-node 0.6
				balances[name] = map[string]any{"balance": e.position}
			default: // ilp-node 1.0 divides floating point numbers
				divisor := 1.0
				for range scale {
					divisor *= 10
				}
				balances[name] = map[string]any{"balance": float64(e.position) / divisor, "asset_code": "ABC"}
			}
			accounts, want[name] = append(accounts, account), e
		}
		books, err := ParseInterledgerRS(marshalFile(t, "accounts", accounts), marshalFile(t, "balances", balances))
		require.NoError(t, err)
		require.Len(t, books.Peers, len(want))
		for _, p := range books.Peers {
			require.Equal(t, strconv.FormatInt(want[p.ID].position, 10), p.Position.String(), p.ID)
			require.Equal(t, want[p.ID].line == -1, p.Unlimited, p.ID)
			if !p.Unlimited {
				require.Equal(t, strconv.FormatInt(want[p.ID].line, 10), p.CreditLine.String(), p.ID)
			}
		}
	}
}

// A random Rafiki: deposits, withdrawals and packets between peers. The liquidity of each peer, and line and position where its transfers are
// given, equal the sums of the events.
func TestRandomRafiki(t *testing.T) {
	t.Parallel()
	r := newRandom(t)
	for range 200 {
		answers, want, withTransfers := makeRafiki(t, r)
		books, err := ParseRafiki(PeerIDName, answers...)
		require.NoError(t, err)
		require.Len(t, books.Peers, len(want))
		for _, p := range books.Peers {
			e := want[p.ID]
			sum := new(big.Int).Add(p.CreditLine, p.Position)
			require.Equal(t, strconv.FormatInt(e.line+e.position, 10), sum.String(), p.ID)
			require.Equal(t, !withTransfers[p.ID], p.OnlySum, p.ID)
			if !p.OnlySum {
				require.Equal(t, []string{strconv.FormatInt(e.line, 10), strconv.FormatInt(e.position, 10)}, []string{p.CreditLine.String(), p.Position.String()}, p.ID)
			}
			moved := p.WithLine(big.NewInt(7))
			require.Equal(t, sum.String(), moved.Position.Add(moved.Position, moved.CreditLine).String())
		}
	}
}

// makeRafiki makes the answers of a Rafiki in two pages, with the transfers of half of its peers.
func makeRafiki(t *testing.T, r *rand.Rand) (files []File, want map[string]expected, withTransfers map[string]bool) {
	t.Helper()
	count := 2 + r.IntN(8)
	want, withTransfers = map[string]expected{}, map[string]bool{}
	lines, positions := make([]int64, count), make([]int64, count)
	debits, credits := make([][]any, count), make([][]any, count)
	add := func(from, to int, kind string, amount int64) {
		row := map[string]any{"id": uuid(9, len(debits)), "debitAccountId": uuid(1, from), "creditAccountId": uuid(1, to), "amount": strconv.FormatInt(amount, 10), "transferType": kind, "state": "POSTED", "ledger": 1, "createdAt": "2026-01-01T00:00:00.000Z"}
		pending := map[string]any{"debitAccountId": row["debitAccountId"], "creditAccountId": row["creditAccountId"], "amount": row["amount"], "transferType": kind, "state": []string{"PENDING", "VOIDED"}[r.IntN(2)]}
		if from < count {
			debits[from] = append(debits[from], pending, row)
		}
		if to < count {
			credits[to] = append(credits[to], row)
		}
	}
	for range r.IntN(100) {
		a, b, amount := r.IntN(count), r.IntN(count), 1+r.Int64N(1e15)
		switch free := lines[a] + positions[a]; {
		case r.IntN(3) == 0 || free == 0:
			lines[a] += amount
			add(1000, a, "DEPOSIT", amount)
		case r.IntN(4) == 0 && lines[a] > 0:
			amount = 1 + r.Int64N(min(free, lines[a]))
			lines[a] -= amount
			add(a, 1000, "WITHDRAWAL", amount)
		case a != b:
			amount = 1 + r.Int64N(free)
			positions[a], positions[b] = positions[a]-amount, positions[b]+amount
			add(a, b, "TRANSFER", amount)
		}
	}
	var edges [2][]any
	data := map[string]any{}
	for i := range count {
		name := "bank" + strconv.Itoa(i)
		want[name] = expected{lines[i], positions[i]}
		node := map[string]any{"id": uuid(1, i), "staticIlpAddress": "test." + name, "name": name, "liquidity": strconv.FormatInt(lines[i]+positions[i], 10), "asset": map[string]any{"id": uuid(2, 0), "code": "USD", "scale": 9}}
		edges[i%2] = append(edges[i%2], map[string]any{"node": node, "cursor": uuid(1, i)})
		if rows := len(debits[i]) + len(credits[i]); rows > 0 && r.IntN(2) == 0 {
			withTransfers[name] = true
			data[fmt.Sprintf("t%d", i)] = map[string]any{"debits": orEmpty(debits[i]), "credits": orEmpty(credits[i])}
		}
	}
	for page := range edges {
		info := map[string]any{"hasNextPage": page == 0, "hasPreviousPage": page == 1}
		list := map[string]any{"data": map[string]any{"peers": map[string]any{"pageInfo": info, "edges": edges[page]}}}
		files = append(files, marshalFile(t, fmt.Sprintf("page %d", page), list))
	}
	return append(files, marshalFile(t, "transfers", map[string]any{"data": data})), want, withTransfers
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

func marshalFile(t *testing.T, name string, v any) File {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return File{Name: name, Data: data}
}
