// Package transfers records packets in the ledger: what a prepare holds, a
// fulfill posts and a reject voids, as double entry between the two peers.
//
// A Recorder takes one operation at a time from any number of goroutines and
// sends them in batches: whatever queued up while the last request was in flight
// goes with the next one. There are three ways in, named by what they wait for:
// Record waits for the ledger's answer, Submit for room in the backlog, TrySubmit
// for nothing.
//
// A packet may be forwarded only after its prepare was applied: before that the
// credit line is not enforced. A fulfill must be recorded even if the caller is
// going away, since the money is owed from the moment the fulfillment is known.
//
// # What a packet writes
//
// One chain of linked transfers, its legs, each pending until the packet is
// resolved. In is what the sender's PREPARE carried, Out what we forwarded:
//
//	same asset, In = Out   sender -> receiver
//	same asset, In > Out   sender -> receiver of Out, sender -> revenue of the rest
//	same asset, In < Out   only with Asset.AllowLoss: sender -> receiver of In,
//	                       liquidity -> receiver of the rest
//	two assets             sender -> liquidity of In less Dust; liquidity -> receiver
//	                       of Out in the other asset; sender -> dust of Dust
//
// A packet from ourselves, to ourselves, or back to its sender goes through our
// liquidity account. A leg of amount 0 is left out, and a packet without any leg
// writes nothing.
package transfers
