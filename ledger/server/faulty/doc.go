// Package faulty is a server of TigerBeetle's client protocol that a test disturbs: it loses, delays,
// repeats and truncates answers, ends connections, evicts sessions, refuses releases, stalls,
// restarts with or without its state, and leaves one of its addresses. The test decides when:
// nothing is random, and nothing depends on time but [DelayAnswer].
//
// [Start] serves an embedded ledger on loopback addresses. [Server.Inject] disturbs the messages
// that a test picks, and the other methods of [Server] disturb everything at once. Every fault is
// one that TigerBeetle and its network can show to a client.
//
// A client of TigerBeetle hangs, or is evicted, and its caller learns no reason. Set Config.Server.Log to see why a
// client hangs or is evicted, for example in the log of a test t:
//
//	cfg.Server.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
package faulty
