// Package cluster is a TigerBeetle cluster as a [ledger.Ledger], through tigerbeetle-go v0.17.9.
//
//	l, err := cluster.Open(ctx, cluster.Config{
//		ClusterID: id, Addresses: []string{"tb-0:3000", "tb-1:3000", "tb-2:3000"},
//	})
//
// TigerBeetle's own Go client never gives up on a request, takes no host names, is silent about a
// wrong cluster id, and is finished once the cluster has dropped its session. This package adds the
// needs of a program on a packet path:
//
//   - [Open] returns when a real request was answered, or with an [OpenError] listing the tried
//     addresses and the likely causes;
//   - every call ends with its context (see Deadlines below);
//   - host names are resolved, and resolved again when a session is reopened;
//   - a session dropped by the cluster is reopened, and its unanswered requests are sent again
//     under the same ids.
//
// # Deadlines
//
// Nothing can cancel a request in the native client. If the context ends before the native client
// has the request, the call returns the context's error, and nothing was sent. If the context ends
// later, the call returns at once with [ledger.ErrOutcomeUnknown]: the cluster may still execute
// the request, even minutes later after an outage. The remedy is to send the same events under the
// same ids again. The memory of such calls in the native client is bounded
// ([Config.MaxInFlightBytes]), and [Stats] counts the calls.
//
// With a context that can never end, events are passed to the native client without a copy.
// Otherwise the call copies them first, in a quarter of a millisecond for a full request, which
// takes the cluster tens of milliseconds. The native client reads the events when their turn comes.
// By then the call may have returned, and its caller may have put new events into the same memory.
//
// # Sessions
//
// A session has one request on the wire. Further calls wait in the native client, which packs
// waiting calls of one operation into one request. A Ledger has a small fixed number of sessions
// ([Config.Sessions]) and gives each call to the session with the fewest events under way. With one
// session more than there are concurrent full requests, small calls have a session to themselves
// and do not delay full requests.
//
// A cluster has 64 sessions in all, and 32 connections to each replica (8 with --development). It
// makes room for a further session by dropping the longest idle one. A dropped session is reopened
// after a pause, which doubles from about 100 ms to about 30 s while the new sessions do not last.
// [Events.Reopened] reports it.
//
// The unanswered requests of a dropped session are sent again, so their answers describe a second
// attempt: an object created by the first attempt answers exists and not created, a transfer
// refused by the first attempt for a transient reason answers id_already_failed. All members of a
// linked chain applied by the first attempt answer exists, after a look-up has shown every member
// to be stored as sent. (TigerBeetle itself answers linked_event_failed for all but the first
// member.)
//
// # Addresses
//
// The addresses are in the order of the replicas' indices, the same in every client and server,
// because a client guesses the primary from the position. A wrong order gives right answers, as
// each attempt goes to another replica. Earlier releases took seconds for a request then; with
// 0.17.9 one of 1500 requests took a quarter of a second, and the rest as long as with the right
// order.
//
// Like tigerbeetle-go, the package needs cgo. Without cgo it has only the configuration.
package cluster
