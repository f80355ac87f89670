// Package transfers records packets in the ledger: what a prepare holds, a
// fulfill posts and a reject voids, as double entry between the two peers.
//
// A Recorder takes one operation at a time from any number of goroutines and
// sends them in batches: whatever queued up while the last request was in flight
// goes with the next one, as far as it fits. There are three ways in, named by what they wait for:
// Record waits for the ledger's answer, Submit for room in the backlog, TrySubmit
// for nothing.
//
// Operations on one packet are recorded in the order in which they were handed over.
// There is no order between packets, but that fulfills, rejects and forwards go ahead
// of prepares when more is waiting than one request takes, and are let into a full
// backlog first: that money is promised already.
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
//
// # What the ledger cannot refuse
//
// The ledger refuses what is beyond a credit line. That a peer is suspended or in arrears, and
// the caps of accounts.Limits, one account cannot tell it, so the recorder refuses new packets
// by them itself: it looks at the ledger once a round (accounts.Config.SuspensionPollInterval), and counts its
// own packets in between. What is held already is resolved all the same, and a peer in arrears
// still gets packets. Our liquidity in an asset with a floor (accounts.Config.LiquidityFloors) is looked at
// and counted in the same way.
//
// What limits a packet by itself it knows without the ledger: the largest packet and the longest
// hold of a peer, how fast a peer may send, and what a conversion must deliver
// (Config.GuardConversions, Config.Rate). A packet that expires later than MaxHold allows is not
// refused: its Expiry is cut, as connectors do. So send the PREPARE on with the Expiry of the
// Result's Packet. A forward is a fact, and no limit refuses it.
//
// # What comes too late
//
// A fulfill whose hold has expired is owed all the same. It is booked by a correction:
// a chain that no credit line can refuse, in which the sender's arrears account stands in
// the sender's place, and which then collects from the sender as much as its account has. The
// rest is arrears (accounts.Balance.Arrears), which the settlement engine collects as soon as
// the sender has headroom. A forward beyond the sender's line is booked in the same way. The
// Result says so (Late).
//
// A closed account does not stop a late fulfill. If the sender's is closed, the whole amount is
// arrears. If the receiver's was closed since the hold expired, its part waits in the asset's
// suspense account: a transfer of code 5 to suspense whose user_data_128 is the packet's id,
// and whose id has phase 14 or 15 in its low 4 bits. The packet's hold, whose id has 0 there,
// names the receiver's account as its credit account. Packets from ourselves have no arrears:
// liquidity pays.
//
// The ledger must have a sender's arrears account before it is debited. Peers that a version
// before arrears provisioned have none: the recorder has it created, and what is late waits
// for that.
//
// # Promises that outlive the process
//
// With Config.Journal a fulfill is kept on disk until the ledger has answered it,
// and Submit of one returns when it is there (after TrySubmit, see Ticket.Journaled). What a recorder leaves, since it was
// killed or closed before the ledger had answered, the next one with the same folder
// records first. That is safe however much of it the ledger has, since the transfers
// have the same ids. A record that was being written at a crash was not promised yet,
// and is dropped; a damaged journal is refused (ErrJournalCorrupt); when the disk is
// full, fulfills go to the ledger without it, and Submit says so (ErrJournal).
// ReadJournal tells what waits in one that no recorder has open.
//
// # Inside
//
// Each lane has a queue, a request in flight, and a batch made ready while it is. An
// operation goes
//
//	fill     in the caller: all that can be wrong without the ledger; id and hold
//	backlog  waits for a place
//	journal  a fulfill, if there is one
//	push     into its lane, by the packet's id
//	cut      into a batch: order, limits and chains are seen to here
//	verify   is the packet of a fulfill or reject as it was prepared?
//	resolve  sent until it is answered, or until the recorder is closed
//	publish  Touched, Late and Replayed, the journal, then the caller
package transfers
