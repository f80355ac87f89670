package vsr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"lukechampine.com/uint128"
)

// The errors of [PingReplica], beside the errors of connecting.
var (
	// ErrHungUp is returned when the server ended the connection instead of answering, like a
	// replica of another cluster.
	ErrHungUp = errors.New("vsr: the server hung up: a replica of another cluster, or no TigerBeetle")
	// ErrFull is returned when the server ends connections before the first byte: a replica with
	// all its connections in use (since release 0.17.6), or a proxy whose server is down.
	ErrFull = errors.New("vsr: the server ends connections at once: it takes no more, or is a proxy without a server")
	// ErrSilent is returned when the server accepted the connection and did not answer in time: a
	// replica in recovery, or a full replica of a release before 0.17.6.
	ErrSilent = errors.New("vsr: the server does not answer")
	// ErrForeign is returned for an answer from a server other than TigerBeetle, or from a release
	// with another format of pings.
	ErrForeign = errors.New("vsr: the server is no TigerBeetle")
)

// EvictedError is returned when a replica refuses clients of our release.
type EvictedError struct {
	TooHigh bool // our release is above the server's; else below the oldest release served
	Server  Release
}

func (e *EvictedError) Error() string {
	if e.TooHigh {
		return fmt.Sprintf("vsr: a client of a release above the server's (%v) is turned away", e.Server)
	}
	return "vsr: a client of so old a release is turned away"
}

// PingReplica identifies the server at a TCP address ("host:port" with an IP address), as a client of a
// cluster with a release. It opens a connection, of which each replica has only a few for clients,
// closes it at the end, and opens no session.
//
// If the server hangs up, PingReplica connects once more, to find out whether the server hangs up on every
// connection or only on this ping.
//
// Errors: those of connecting; [ErrHungUp], [ErrFull], [ErrSilent] when ctx ends first,
// [ErrForeign] with the beginning of the answer, and an [EvictedError]. A replica other than the
// primary does not evict, and stays silent.
func PingReplica(ctx context.Context, address string, cluster uint128.Uint128, release Release) (Pong, error) {
	var pong Pong
	err := withConnection(ctx, address, func(conn net.Conn) (err error) {
		pong, err = sendPing(conn, cluster, release)
		return err
	})
	if errors.Is(err, ErrHungUp) {
		// The second connection tells more, also whether a server that has just ended refuses
		// connections now.
		if secondErr := withConnection(ctx, address, awaitHangup); secondErr != nil && !errors.Is(secondErr, ErrSilent) {
			err = secondErr
		}
	}
	return pong, err
}

// withConnection connects and runs talk; the end of ctx ends talk too.
func withConnection(ctx context.Context, address string, talk func(net.Conn) error) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the read
	err = talk(conn)
	if !stop() && err != nil {
		err = ErrSilent
	}
	_ = conn.Close() // the answer is read
	return err
}

// hangupWait is the time for a full server to end a connection. A full server does so as soon as it
// accepts the connection.
const hangupWait = 500 * time.Millisecond

// awaitHangup sends nothing, and waits for the server to end the connection. A healthy replica
// sends nothing either.
func awaitHangup(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(hangupWait)) // never fails for a TCP connection
	said := make([]byte, 40)
	switch n, err := conn.Read(said); {
	case n > 0:
		return fmt.Errorf("%w: it says %q", ErrForeign, said[:n])
	case errors.Is(asHungUp(err), ErrHungUp):
		return ErrFull
	default:
		return nil
	}
}

func sendPing(conn net.Conn, cluster uint128.Uint128, release Release) (Pong, error) {
	if _, err := conn.Write(encodePing(cluster, release)); err != nil {
		return Pong{}, asHungUp(err)
	}
	var answer Header
	switch n, err := io.ReadFull(conn, answer[:]); {
	case n > 0 && err != nil:
		return Pong{}, fmt.Errorf("%w: it says %q", ErrForeign, answer[:min(n, 40)])
	case err != nil:
		return Pong{}, asHungUp(err)
	}
	return parsePong(&answer)
}

func asHungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return ErrHungUp
	}
	return err
}

// encodePing returns the ping of a client without a session.
func encodePing(cluster uint128.Uint128, release Release) []byte {
	var client [16]byte
	_, _ = rand.Read(client[:]) // never fails; the id of a client must be unique
	header := Ping{Release: release, Client: uint128.FromBytes(client[:])}.Encode(cluster)
	return header[:]
}

func parsePong(answer *Header) (Pong, error) {
	if !answer.ChecksumHolds() {
		return Pong{}, fmt.Errorf("%w: it says %q", ErrForeign, answer[:40])
	}
	pong := Pong{Replica: answer.Replica(), View: answer.View(), Release: answer.Release()}
	switch answer.Command() { //nolint:exhaustive // every other command answers no ping
	case CommandPongClient:
		return pong, nil
	case CommandEviction:
		switch reason := answer.EvictionReason(); reason { //nolint:exhaustive // the others concern sessions
		case EvictionReleaseTooLow, EvictionReleaseTooHigh:
			return pong, &EvictedError{TooHigh: reason == EvictionReleaseTooHigh, Server: pong.Release}
		}
	}
	return pong, fmt.Errorf("%w that answers pings: command %d", ErrForeign, answer.Command())
}
