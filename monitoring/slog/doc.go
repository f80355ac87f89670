// Package peerslog logs the work on a connector's books with log/slog.
//
// A [Tracer] goes into the field Tracer of [transfers.Config], [aggregate.Config] and [settlement.Config]. It logs the end of
// each batch, round, rail call, order and payment, with the context of the start: a handler that adds trace ids sees
// the span if peerotel's Tracer comes first in JoinTracers. [Tracer.Recorder], [Tracer.Rounds] and [Tracer.Settlement] wrap the
// events of faults that belong to none of these.
//
// The logger is the caller's, and never the default one. Messages are constants. Keys are in snake_case, with the unit
// of a duration: took_seconds. Amounts are text in whole units of the asset, since numbers would be rounded.
//
//	Error  a person must act: the journal failed, a round or an order cannot be explained
//	Warn   a retry may help: a rail without an answer, a resent batch, an order that is stuck
//	Info   orders, payments, pauses
//	Debug  batches, rounds, calls of rails
//
// Packets are not logged.
package peerslog
