package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

var (
	release   = vsr.NewRelease(0, 17, 9)
	clusterID = uint128.From64(7)
)

// serveReplica serves replicas of one cluster and returns their addresses in order.
func serveReplica(t *testing.T, n int, change func(i int, r *vsrtest.Replica)) []string {
	t.Helper()
	addresses := make([]string, n)
	for i := range addresses {
		r := vsrtest.Replica{ClusterID: clusterID, Index: i, View: 3, Release: release}
		if change != nil {
			change(i, &r)
		}
		addresses[i] = vsrtest.Serve(t, r)
	}
	return addresses
}

// findFreeAddress returns an address of this machine without a listener. Other tests use 127.0.0.1,
// so none will listen there.
func findFreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.88:0")
	if err != nil {
		t.Skipf("needs a second loopback address: add 127.0.0.88 to the loopback interface (%v)", err)
	}
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// session is an embedded ledger in place of a cluster.
type session struct{ *embedded.Ledger }

func (s session) BatchMax() int { return ledger.BatchMax }

func openEmbedded(opts ...embedded.Option) func(context.Context) (Session, error) {
	return func(context.Context) (Session, error) { return session{embedded.New(opts...)}, nil }
}

func newSubject(addresses ...string) Subject {
	return Subject{
		ClusterID: clusterID, Addresses: addresses, Client: release,
		Open: openEmbedded(), Patience: 300 * time.Millisecond,
	}
}

// listCodes returns the codes of all faults.
func listCodes(r Report) (codes []Code) {
	for _, f := range r {
		if f.Level != OK {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	for n := range 6 {
		r := Examine(t.Context(), newSubject(serveReplica(t, n+1, nil)...))
		require.Empty(t, listCodes(r), "%v", r)
		require.Equal(t, OK, r.Worst())
		for _, code := range []Code{ReplicaAnswers, ReleasesMatch, SessionWorks, LimitsKnown, ClockPlausible} {
			require.True(t, r.Has(code), code)
		}
	}
}

// resolver resolves one name.
type resolver struct{}

func (resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == "tb" {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// Every fault of the network has its finding, and no other one.
func TestFaults(t *testing.T) {
	t.Parallel()
	ssh := vsrtest.Listen(t, func(conn net.Conn) {
		_, _ = conn.Write([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
		_, _ = conn.Read(make([]byte, 256))
	})
	three := serveReplica(t, 3, nil)
	tests := map[string]struct {
		subject Subject
		want    []Code
	}{
		"nothing listens": {newSubject(findFreeAddress(t)), []Code{NothingListens}},
		"no replica of three": {
			newSubject(findFreeAddress(t), findFreeAddress(t), findFreeAddress(t)), []Code{NothingListens, NothingListens, NothingListens, QuorumLost},
		},
		"one replica down":   {newSubject(three[0], findFreeAddress(t), three[2]), []Code{ReplicaDown}},
		"two replicas down":  {newSubject(three[0], findFreeAddress(t), findFreeAddress(t)), []Code{NothingListens, NothingListens, QuorumLost}},
		"another program":    {newSubject(ssh), []Code{NotTigerBeetle}},
		"addresses rotated":  {newSubject(three[1], three[2], three[0]), []Code{WrongOrder}},
		"addresses reversed": {newSubject(three[2], three[1], three[0]), []Code{WrongOrder}},
		"reversed, one down": {newSubject(three[2], findFreeAddress(t), three[0]), []Code{ReplicaDown, WrongOrder}},
		"too few addresses":  {newSubject(three[0], three[2]), []Code{ReplicaCount}},
		"one replica twice":  {newSubject(three[0], three[0], three[2]), []Code{SameReplicaTwice}},
		"silent": {
			newSubject(serveReplica(t, 1, func(_ int, r *vsrtest.Replica) { r.Silent = true })...), []Code{Silent},
		},
		"full": {
			newSubject(serveReplica(t, 1, func(_ int, r *vsrtest.Replica) { r.Full = true })...), []Code{ConnectionsTaken},
		},
		"one of three full": {
			newSubject(serveReplica(t, 3, func(i int, r *vsrtest.Replica) { r.Full = i == 1 })...), []Code{ConnectionsTaken},
		},
		"one of three silent": {
			newSubject(serveReplica(t, 3, func(i int, r *vsrtest.Replica) { r.Silent = i == 1 })...), []Code{ReplicaDown},
		},
		"another cluster": {
			newSubject(serveReplica(t, 1, func(_ int, r *vsrtest.Replica) { r.ClusterID = uint128.From64(8) })...), []Code{WrongClusterID},
		},
		"one of another cluster": {
			newSubject(serveReplica(t, 3, func(i int, r *vsrtest.Replica) { r.ClusterID = uint128.From64(7 + uint64(i)/2) })...), []Code{WrongClusterID},
		},
		"old server": {
			newSubject(serveReplica(t, 3, func(_ int, r *vsrtest.Replica) { r.Release = vsr.NewRelease(0, 17, 8) })...), []Code{ClientTooNew},
		},
		"upgrade under way": {
			newSubject(serveReplica(t, 3, func(i int, r *vsrtest.Replica) { r.Release += vsr.Release(i / 2) })...), []Code{ReleasesDiffer},
		},
		"election": {
			newSubject(serveReplica(t, 3, func(i int, r *vsrtest.Replica) { r.View += uint32(i / 2) })...), []Code{ViewsDiffer},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Examine(t.Context(), test.subject)
			require.Equal(t, test.want, listCodes(r), "%+v", r)
			for _, f := range r {
				if f.Level != OK {
					require.NotEmpty(t, f.Cause)
					require.NotEmpty(t, f.Remedy)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(serveReplica(t, 1, nil)[0])
	require.NoError(t, err)
	s := newSubject("tb:" + port)
	s.Resolver = resolver{}
	r := Examine(t.Context(), s)
	require.Empty(t, listCodes(r), "%+v", r)
	require.True(t, r.Has(Resolved))

	s.Addresses = []string{"tb-typo:" + port}
	r = Examine(t.Context(), s)
	require.Equal(t, []Code{Unresolvable}, listCodes(r))
	require.Contains(t, r[0].Found, "tb-typo")
}

// The correct order is printed in the form of the flag.
func TestRightOrderIsSaid(t *testing.T) {
	t.Parallel()
	a := serveReplica(t, 3, nil)
	r := Examine(t.Context(), newSubject(a[1], a[2], a[0]))
	for _, f := range r {
		if f.Code == WrongOrder {
			require.Equal(t, "the replicas say that the order is "+a[0]+","+a[1]+","+a[2], f.Found)
		}
	}
}

// A replica on the usual port is found when the configured port is refused. The usual ports may be
// in use here, so another address of this machine stands for the host.
func TestWrongPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.77:3001")
	if err != nil {
		t.Skipf("needs a second loopback address: add 127.0.0.77 to the loopback interface, and leave its port 3001 free (%v)", err)
	}
	defer func() { _ = listener.Close() }()
	done := make(chan struct{})
	target := serveReplica(t, 1, nil)[0]
	go func() { // forwards one connection
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		forwardConn(conn, target)
	}()
	r := Examine(t.Context(), newSubject("127.0.0.77:4321"))
	<-done
	require.Equal(t, []Code{WrongPort}, listCodes(r), "%+v", r)
	require.Contains(t, r[0].Found, "127.0.0.77:3001")
}

func forwardConn(conn net.Conn, target string) {
	defer func() { _ = conn.Close() }()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	message := make([]byte, 256)
	for _, leg := range []struct{ from, to net.Conn }{{conn, server}, {server, conn}} {
		n, _ := leg.from.Read(message)
		_, _ = leg.to.Write(message[:n])
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	s := newSubject(serveReplica(t, 1, nil)...)
	s.Open = func(context.Context) (Session, error) { return nil, away }
	r := Examine(t.Context(), s)
	require.Equal(t, []Code{SessionFails}, listCodes(r))

	s.Open = nil
	require.Equal(t, []Code{NoClient}, listCodes(Examine(t.Context(), s)))

	s.ClusterID = uint128.Zero
	require.Contains(t, listCodes(Examine(t.Context(), s)), ClusterIDZero)
}

// small is a session of a server with --development.
type small struct{ Session }

func (small) BatchMax() int { return 253 }

func TestSmallRequests(t *testing.T) {
	t.Parallel()
	s := newSubject(serveReplica(t, 1, nil)...)
	s.Open = func(ctx context.Context) (Session, error) {
		l, err := openEmbedded()(ctx)
		return small{l}, err
	}
	require.Equal(t, []Code{SmallRequests}, listCodes(Examine(t.Context(), s)))
}

func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for ahead, want := range map[time.Duration][]Code{-time.Hour: nil, 900 * time.Millisecond: nil, 2 * time.Second: {ClockBehind}} {
		s := newSubject(serveReplica(t, 1, nil)...)
		s.Now = func() time.Time { return now }
		s.Open = func(ctx context.Context) (Session, error) {
			l, err := openEmbedded(embedded.WithClock(func() time.Time { return now.Add(ahead) }))(ctx)
			_, _ = l.CreateAccounts(ctx, []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}})
			return l, err
		}
		require.Equal(t, want, listCodes(Examine(t.Context(), s)), ahead)
	}
}

func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	s := newSubject(findFreeAddress(t))
	s.ConfigErr = errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three")))
	r := Examine(t.Context(), s)
	require.Equal(t, []Code{ConfigInvalid, ConfigInvalid, ConfigInvalid}, listCodes(r))
	require.Equal(t, "three", r[2].Found)
}

// All faults have a cause and a remedy, and every code is in the catalogue.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		k := code.lookUpEntry()
		require.NotZero(t, k.level, code)
		require.Equal(t, k.level != OK, k.cause != "" && k.remedy != "", code)
	}
}

func ExampleExamine() {
	r := Examine(context.Background(), Subject{ConfigErr: errors.New("TIGERBEETLE_ADDRESSES is missing")})
	for _, f := range r {
		fmt.Printf("%v: %s: %s\n", f.Level, f.Subject, f.Found)
	}
	// Output: problem: configuration: TIGERBEETLE_ADDRESSES is missing
}
