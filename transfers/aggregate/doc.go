// Package aggregate records ILP packets in rounds: it decides each packet in memory, against a part
// of the sender's headroom that the ledger has reserved, and writes the sums of many packets as one
// chain of transfers. It takes the operations of package transfers, and gives its results and errors.
//
// # When to use it
//
// [transfers.Recorder] writes each packet, twice. The ledger's rate is then the limit, and a
// prepare takes a round trip. A [Recorder] writes each peer once a round, 20 times a second, and a
// prepare takes microseconds. In return, the ledger has the sums and not the packets, fulfills
// depend on a journal on disk, and a packet must be resolved by the recorder that prepared it.
//
// # What it promises
//
// A fulfill that was acknowledged is in the books once, whatever crashes, if the journal's disk
// survives: Fulfill returns when the fulfill is on disk, and the next recorder with the same folder
// books what no round has.
//
// The credit line holds, for any number of recorders: the ledger refuses a reservation beyond it,
// and a packet is accepted only against a reservation. The exceptions are late cases, which debit the
// sender's arrears, collect what the sender's account has, and are reported by [Events].Round:
//
//   - a fulfill of an expired hold, or of a packet that a restart has forgotten, or a Forward, if
//     the reservation does not cover the amount;
//   - an outage of the ledger, a pause of the process, or a jump of the wall clock backwards, if it
//     is longer than [Config].LedgerOutage;
//   - an account closed while packets of its peer were held.
//
// The earnings of a receiver whose account is closed go to the asset's suspense account: a transfer
// of code 5 from transit, whose user_data_128 is the id of the receiver's account. When the account is
// open again, settlement.Engine.Release gives them to the receiver, as earned.
//
// # Reservations
//
// A reservation is a pending transfer of code 6 from a sender to the asset's transit account. It is
// sized by the sender's recent use and is at most half of the sender's headroom, unless a packet
// needs more. Each round posts the sender's reservations in part and reserves the rest anew. When a
// reservation does not cover a prepare, the recorder asks for more of the headroom, and the prepare
// waits for one look-up and one request. Balances show reservations as held.
//
// Suspended and closed peers, peers in arrears, and recorders that are closed, keep no more than what
// packets hold.
// A suspension takes effect within [accounts.Config].SuspensionPollInterval.
//
// # Settlement, lines and closings
//
// Tell a settlement engine both ways:
//
//	engine, err := settlement.NewEngine(l, book, ...)
//	recorder, err := aggregate.NewRecorder(ctx, l, book, aggregate.Config{
//		Events: aggregate.Events{BalancesChanged: engine.NotifyBalances}, ...
//	})
//	engine.UseReservations(recorder)
//
// Before an order that needs reserved headroom, the engine calls [Recorder.HoldBack]: the next round
// reserves only what packets of the peer hold, and prepares beyond that wait until the order is placed, for some
// milliseconds, at most 3 s. An engine cannot hold back what recorders of other processes reserve: its order is
// smaller by as much. So give each process with a recorder an engine.
//
// For operators a reservation counts as held. [accounts.Book.ClosePeer] returns [accounts.ErrHeld], and
// [accounts.Book.SetCreditLine] with a smaller line [accounts.ErrLineInUse]. Suspend the peer and wait one
// [accounts.Config].SuspensionPollInterval, and recorders have given its reservations back, but for packets in flight.
// Then close the peer; or lower the line: revoke its free part ([accounts.WithFreeRevoked]), resume the peer, and set the
// line.
//
// # Rounds
//
// A round is a linked chain: senders to transit, transit to receivers, revenue and dust. Transit is
// empty after each. The journal has each attempt of a round before the ledger gets it, and the ids
// follow from namespace, journal, round, attempt and leg. So a lost answer is asked for again, and
// after a crash the last attempt is sent again. If the ledger refuses an attempt for good, the next
// attempt has the same packets, with other legs for lost reservations and closed accounts.
//
// A statement shows rounds, and their packets with [accounts.WithJournals]. The packets stay in the
// journal's folder: in the log, and then in its archive, for [Config].ArchiveRetention. The command
// peerledger packets searches them.
//
// # Horizon
//
// A resolved packet is remembered until [Config].Horizon after the end of its hold, over restarts
// too. A repeat is answered as already applied. Later fulfills are refused ([ErrTooLate]). The clock
// of the horizon never goes back: after a wall clock was ahead by an hour, new packets are refused
// as too short for an hour.
//
// # Limits
//
// Caps, packet limits and rates of peers ([accounts.Limits]) and the floors of our liquidity hold as
// in package transfers, with the same errors ([transfers.PacketLimitError]). A recorder counts its own
// packets exactly, with the fulfilled ones that no round has. Of others, it counts what the ledger
// shows at the last look-up: reservations of other recorders are held like packets, and their
// packets to a peer appear with their rounds. So each recorder keeps a cap with its own packets, and
// several together may exceed a PayableCap or a floor by what the others have open. To leave
// others a part of an InFlightShare, a recorder reserves at most [Config].ReservationShare of what the
// share leaves, unless a packet needs more. Forwards and late fulfills are never refused, and they count.
//
// A MaxHold of a peer cuts the Expiry of a new packet, to whole milliseconds: send the PREPARE on with
// the Expiry of the result's packet.
//
// # In the place of a transfers.Recorder
//
// A [Recorder] is a [transfers.PacketRecorder]. A program that uses the interface changes one line: with
// the Client of package peerledger, Config.Rounds in place of Config.Recorder. These things differ:
//
//   - Submit of a fulfill does not wait for the disk; [transfers.Future.Wait] and Journaled do;
//   - a fulfill without its prepare is booked by its own fields, and not refused as unknown;
//   - a result comes before the packet is in the ledger, so BookedAt and Shortfall are not set
//     ([Recorder.Record]), and no id is burnt;
//   - a forward is [transfers.Result].Late if no reservation covers it, also within the line;
//   - new packets of closed peers are refused with [accounts.ErrPeerClosed], where [transfers.Recorder] may
//     answer [accounts.ErrSuspended].
//
// # How it is built
//
// machine (machine.go) is the state of all peers and packets. It is pure: operations, the time and
// the ledger's answers go in; results, journal records and requests come out. cut.go forms rounds,
// refusals.go changes refused ones, requests.go asks the ledger, recover.go goes on from a journal,
// limiter.go and limits.go count packets against limits.
// [Recorder] and loop.go are the shell with the lock, the journal (package wal) and the ledger.
// stats.go counts, and report.go tells [Events] about rounds.
// TestPrograms runs the machine against the embedded ledger and a simulated journal.
//
// # Bounds
//
//   - A packet needs an Expiry, at most [Config].MaxHold away unless the MaxHold of a peer cuts it: others are
//     refused with a [transfers.PacketError].
//   - Reservations of a peer are at most 2^62 units: larger packets are refused with [transfers.ErrCreditLine].
//   - After a failure of the journal's disk the recorder stops ([ErrStopped]); what it has acknowledged is
//     booked by the next.
//   - The rows of a round have the low 32 bits of its number: those of two rounds 2^32 apart are alike in a
//     statement.
package aggregate
