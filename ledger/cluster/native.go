//go:build cgo

package cluster

import (
	"errors"
	"fmt"
	"net/netip"

	tb "github.com/tigerbeetle/tigerbeetle-go"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/unsafecast"
)

// dialer opens a native client, which is one session. It does not wait for the
// cluster.
type dialer func(id uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error)

func dialNative(id uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error) {
	return tb.NewClient(unsafecast.Value[tb.Uint128](id), nativeAddresses(replicas))
}

// What ErrClientRelease says in particular.
var (
	errTooNew = fmt.Errorf("%w: the client's, %s, is newer than the cluster's", ErrClientRelease, ClientRelease)
	errTooOld = fmt.Errorf("%w: the client's, %s, is older than the cluster serves", ErrClientRelease, ClientRelease)
)

// sessionEndCause is why the native client has ended, if the error says that it has: then
// its request may have been executed or not, and no further one will be. nil for an
// error of the request alone.
func sessionEndCause(err error) error {
	switch {
	case errors.Is(err, tb.ErrClientReleaseTooHigh):
		return errTooNew
	case errors.Is(err, tb.ErrClientReleaseTooLow):
		return errTooOld
	case errors.Is(err, tb.ErrClientEvicted):
		return ErrEvicted
	case errors.Is(err, tb.ErrClientClosed):
		return ErrSessionLost // dropped while it was idle, most likely
	default:
		return nil
	}
}
