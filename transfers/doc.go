// Package transfers records ILP packets in the ledger as double entry between two peers: a
// prepare holds the amounts, a fulfill posts them, a reject voids them.
//
// A [Recorder] takes single operations from any number of goroutines and sends them in
// batches: a batch is the operations that queued up while the last request was in flight.
// Three ways in are named by the event that they wait for: [Recorder.Record] waits for the
// ledger's answer, [Recorder.Submit] for room in the backlog, [Recorder.TrySubmit] for
// nothing.
//
// Operations on one packet are recorded in the order of their submission. Packets have no
// order among each other, except that fulfills, rejects and forwards concern money already
// promised: they go ahead of prepares when more than one request is waiting, and enter a
// full backlog first.
//
// A packet may be forwarded only after its prepare was applied: before that the credit line
// is not enforced. A fulfill must be recorded even if the caller is going away, since the
// money is owed from the moment the fulfillment is known.
//
// # What a packet writes
//
// One chain of linked transfers, its legs, each pending until the packet is resolved. In is
// the amount of the sender's PREPARE, Out the amount of ours ([Packet]):
//
//	same asset, In = Out   sender -> receiver
//	same asset, In > Out   sender -> receiver of Out, sender -> revenue of the rest
//	same asset, In < Out   only with Asset.AllowLoss: sender -> receiver of In,
//	                       liquidity -> receiver of the rest
//	two assets             sender -> liquidity of In less Dust; liquidity -> receiver
//	                       of Out in the other asset; sender -> dust of Dust
//
// A packet from ourselves, to ourselves, or back to its sender goes through our liquidity
// account. A leg of amount 0 is left out, and a packet without any leg writes nothing.
//
// # Limits that the ledger cannot enforce
//
// The ledger enforces credit lines. It cannot enforce suspensions, arrears, the caps of
// [accounts.Limits] and liquidity floors ([accounts.Config].LiquidityFloors), so the recorder refuses new
// packets by them: it reads the ledger once per [accounts.Config].SuspensionPollInterval,
// and counts its own packets in between. Packets held already are resolved all the same,
// and a peer in arrears still receives packets.
//
// Other limits need no ledger: the largest packet and the longest hold of a peer, the rates
// of a peer, and the least that a conversion must deliver ([Config].GuardConversions,
// [Config].Rate). A packet that expires later than MaxHold allows is not refused: its Expiry
// is made earlier, as connectors do. So send the PREPARE on with the Expiry of the Result's
// Packet. A forward is a fact, and no limit refuses it.
//
// # Late fulfills
//
// A fulfill whose hold has expired is owed all the same. A correction books it: a chain that
// no credit line can refuse, which debits the sender's arrears account in the sender's place,
// and then collects from the sender as much as its account has. The rest is arrears
// ([accounts.Balance].Arrears), which the settlement engine collects as soon as the sender
// has headroom. A forward beyond the sender's line is booked in the same way. Both set
// [Result].Late.
//
// A closed account does not stop a late fulfill. If the sender's account is closed, the whole
// amount is arrears. If the receiver's account was closed since the hold expired, its part
// waits in the asset's suspense account: a transfer of code 5 to suspense whose user_data_128
// is the packet's id, and whose id has phase 14 or 15 in its low 4 bits. The packet's hold,
// whose id has 0 in those bits, names the receiver's account as its credit account. Packets
// from ourselves have no arrears: liquidity pays.
//
// A sender's arrears account must exist in the ledger before it is debited. Peers provisioned
// by a version without arrears have none: the recorder creates it first.
//
// # Promises that outlive the process
//
// With [Config].JournalFolder a fulfill is kept on disk until the ledger has answered it, and
// [Recorder.Submit] of a fulfill returns when it is on disk (after [Recorder.TrySubmit] see
// [Future.Journaled]). If a recorder was killed, or closed before the ledger had answered,
// the next recorder with the same folder records the remaining fulfills first. Recording
// twice is safe, because the transfers have the same ids.
//
// A record cut off by a crash was not promised yet, and is dropped. A damaged journal is
// refused ([ErrJournalCorrupt]). When the disk is full, fulfills go to the ledger without
// the journal, and Submit returns [ErrJournal]. [ReadJournal] lists the fulfills in a journal
// that no recorder has open.
//
// # The life of an operation
//
// In the caller's goroutine:
//
//  1. [Recorder.Submit], [Recorder.TrySubmit] and [Recorder.Record] call submitOp (submit.go).
//  2. initOperation (new_operation.go) finds the faults that need no ledger ([PacketError]),
//     generates the packet's id, and fixes the hold.
//  3. admitOperation waits until the limits of the peers are loaded, takes a place in the
//     backlog ([ErrBacklogFull]), and reserves the amounts against the limits
//     ([PacketLimitError]; admission.go, peer_limits.go). The refresher (refresh.go) keeps the
//     limits up to date.
//  4. enqueueOperation writes a fulfill to the journal, and adds the operation to the inbox of
//     the lane picked by the packet's id (lane.go, inbox.go).
//
// In the lane's goroutines:
//
//  5. The batch builder (batch_builder.go) orders the operations and forms a batch. A chain is
//     never cut, and a batch resolves a packet once.
//  6. The sender (sender.go) first verifies that the packets of fulfills and rejects are as
//     they were prepared (verify.go). Then it sends the batch until every operation is
//     answered, or the recorder is closed ([CloseError]).
//  7. The answer becomes a [Result], or sends the operation on under another phase: again
//     after a burnt id, or as a correction (outcome.go, correction.go).
//  8. The publisher (publisher.go) calls [Events].BalancesChanged, Late and Replayed, settles
//     the reservations, removes the fulfills from the journal, and then wakes the callers:
//     [Future.Wait] returns.
package transfers
