// Package cluster is a TigerBeetle cluster as a ledger.Ledger, through
// tigerbeetle-go v0.17.9.
//
//	l, err := cluster.Open(ctx, cluster.Config{
//		ClusterID: id, Addresses: []string{"tb-0:3000", "tb-1:3000", "tb-2:3000"},
//	})
//
// TigerBeetle's own Go client never gives up on a request, takes no host names, is
// silent about a wrong cluster id, and is finished once the cluster has dropped its
// session. This package adds what a program on a packet path needs:
//
//   - Open returns when a real request was answered, or with an OpenError that says
//     what was tried and what the likely causes are;
//   - every call ends with its context (see Deadlines below);
//   - host names are resolved, and resolved again when a session is opened anew;
//   - a session that the cluster dropped is opened again, and what it had under way is
//     sent again under the same ids.
//
// # Deadlines
//
// A request cannot be called back once the native client has it. A call whose context
// ends before then returns the context's error, and nothing was sent. A call whose
// context ends later returns at once with ledger.ErrOutcomeUnknown: the request may
// still be executed, even minutes later when a cluster that was away comes back. The
// remedy is to send the same events under the same ids again. What such calls leave
// behind in the native client is bounded (Config.MaxInFlightBytes) and counted (Stats).
//
// Events are handed over without a copy if the context can never end. With any other
// context they are copied first (a quarter of a millisecond for a full request, which takes
// the cluster tens of them): the native client reads them when their turn comes, which may
// be after the call has returned and its caller has put other events in the same memory.
//
// # Sessions
//
// A session has one request on the wire; what is called meanwhile waits in the native
// client, which packs waiting calls of one operation into one request. A Ledger has a
// small fixed number of sessions (Config.Sessions) and gives each call to the one whose
// calls have the fewest events. With one session more than there are full requests at a
// time, small calls so have a session to themselves and do not hold full requests up. A cluster has 64 sessions in all, and 32 connections to each
// replica (8 with --development); it makes room for a further one by dropping the
// session that was idle longest. A dropped session is opened again after a pause that
// doubles from about 100 ms to about 30 s while the new ones do not last, and Events.Reopened is
// told.
//
// What a dropped session had under way is sent again by itself. The answers are then
// those of a second attempt, and honest ones: what the first attempt created is
// answered as exists, not as created, and a transfer that it refused for the moment
// as id_already_failed. A linked chain that was applied by the first attempt is answered
// as exists in all its members (TigerBeetle itself says linked_event_failed of all but
// the first), after a look-up has shown that each is stored as it was sent.
//
// # Addresses
//
// Addresses are given in the order of the replicas' indices, the same in every client
// and server: a client takes its guess at the primary from the position. With a wrong
// order all answers are right, as each attempt goes to another replica too. Earlier
// releases took seconds for a request then; with 0.17.9 one of 1500 requests took a quarter
// of a second, and all others as long as with the right order.
//
// Like tigerbeetle-go, the package needs cgo; without cgo it has the configuration alone.
package cluster
