// Package check is a conformance suite for RFC 0038. [Run] plays the other side to a settlement
// engine or to a connector by its URL, and returns a [Result] for each [Clause]: passed, failed or
// skipped, with the requests sent and the answers seen. The command "peerledger rfc0038 check" runs
// the suite.
//
// A clause is of severity [Must] if the RFC demands it, or if money is lost or doubled without it. A
// clause of severity [Needed] is one that real programs rely on; its source names them. Programs are
// settlement-core (the JavaScript engines; old: 0.1.1), interledger-rs, the Java connector
// ilpv4-connector, and settlement engines for ETH, XLM, PayPal.
//
// # Effects on the subject
//
// A suite settles small amounts: [Config].Amount at Config.Scale for each accepted key, which
// [Report].Settled counts. The default, 1 at scale 19, is below the smallest unit of known rails: an
// engine of a scale up to 17 pays nothing in a run. An engine of scale 18, as for ETH, that keeps
// remainders pays one unit (10^-18) for ten settlements, and one of a larger scale pays each. At a
// larger scale they would pay less, and engines that compute powers of ten in 64 bits would book wrong
// sums. An engine gets accounts of its own with random UUIDs, which are deleted in the end.
// The settlement interface of a connector has no way to add an account, so Config.Account names one.
// The clause "key/scope" settles one unit more than Amount. Everything else beyond Amount is what every
// subject must refuse. Requests are sent one after another, except in the clause "settle/parallel".
//
// With a Config.Listener and a Config.Trigger the suite also takes the calls of the subject, and answers
// them with silence, errors and redirects. The subject chooses the amounts of these settlements.
package check
