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

// dialer opens a native client, which is one session, without waiting for the cluster.
type dialer func(id uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error)

func dialNative(id uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error) {
	return tb.NewClient(unsafecast.Value[tb.Uint128](id), nativeAddresses(replicas))
}

// The two reasons for ErrClientRelease.
var (
	errTooNew = fmt.Errorf("%w: the client's, %s, is newer than the cluster's", ErrClientRelease, ClientRelease)
	errTooOld = fmt.Errorf("%w: the client's, %s, is older than the cluster serves", ErrClientRelease, ClientRelease)
)

// sessionEndCause returns the reason why the native client has ended, or nil if err concerns the
// request alone. An ended client may have executed the request or not, and executes no further
// request.
func sessionEndCause(err error) error {
	switch {
	case errors.Is(err, tb.ErrClientReleaseTooHigh):
		return errTooNew
	case errors.Is(err, tb.ErrClientReleaseTooLow):
		return errTooOld
	case errors.Is(err, tb.ErrClientEvicted):
		return ErrEvicted
	case errors.Is(err, tb.ErrClientClosed):
		return ErrSessionLost // most likely dropped while it was idle
	default:
		return nil
	}
}
