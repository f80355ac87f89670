package enginetest_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// books is a connector that credits each key once, and loses answers at random.
type books struct {
	mu      sync.Mutex
	random  *rand.Rand
	credits map[string]*big.Int // units of scale 6 by key
}

func (b *books) answer(_ int, r report, w http.ResponseWriter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var q rfc0038.Quantity
	if err := json.Unmarshal([]byte(r.body), &q); err != nil || b.random.IntN(4) == 0 {
		panic(http.ErrAbortHandler)
	}
	units, _ := q.Split(6)
	if known := b.credits[r.key]; known != nil && known.Cmp(units) != 0 {
		w.WriteHeader(http.StatusConflict) // another amount: the engine must not do this
		return
	}
	b.credits[r.key] = units
	if b.random.IntN(4) == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusCreated)
}

func (b *books) total() *big.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := new(big.Int)
	for _, units := range b.credits {
		sum.Add(sum, units)
	}
	return sum
}

// Two engines restart at random and lose answers at random. A client that repeats each key until the
// answer is a 2xx finds the sum of its settlements, to the unit, at the other connector.
func TestNothingIsLostOverRestarts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	credited := &books{random: rand.New(rand.NewPCG(seed, 2)), credits: map[string]*big.Int{}}
	connector := newStub(t, credited.answer)
	rail, folder := enginetest.NewRail(), t.TempDir()
	a, url := newEngine(t, enginetest.Config{Name: "a", Scale: 6, Rail: rail, Peers: toBob, Folder: filepath.Join(folder, "a")})
	b, _ := newEngine(t, enginetest.Config{Name: "b", Scale: 6, Rail: rail, Connector: connector.url, Folder: filepath.Join(folder, "b")})
	require.Equal(t, 201, post(t, url+"/accounts", `{"id":"alice"}`).status)

	asked := rfc0038.Quantity{Amount: new(big.Int), Scale: 8}
	var work sync.WaitGroup
	for n := range 60 {
		units := random.Int64N(1000)
		asked.Amount.Add(asked.Amount, big.NewInt(units))
		work.Go(func() {
			settleUntilTaken(t, url, fmt.Sprint("key ", n), fmt.Sprintf(`{"amount":"%d","scale":8}`, units))
		})
	}
	for range 20 {
		if random.IntN(2) == 0 {
			require.NoError(t, a.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}))
		}
		require.NoError(t, []*enginetest.Engine{a, b}[random.IntN(2)].Restart(false))
		<-time.After(time.Duration(random.IntN(5)) * time.Millisecond) // the moment of a restart is random
	}
	work.Wait()
	require.Eventually(t, func() bool {
		unpaid, _, errA := a.CountOpen()
		_, unreported, errB := b.CountOpen()
		return errA == nil && errB == nil && unpaid+unreported == 0
	}, 30*time.Second, time.Millisecond)
	want, _ := asked.Split(6)
	require.Equal(t, want, credited.total())
}

// settleUntilTaken repeats a settlement under its key until the answer is a 2xx.
func settleUntilTaken(t *testing.T, url, key, body string) {
	t.Helper()
	for t.Context().Err() == nil {
		got, err := send(t, http.MethodPost, url+"/accounts/alice/settlements", body, key)
		if err == nil && got.status == 201 {
			return
		}
	}
}
