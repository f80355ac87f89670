// Package rfc0038 speaks Interledger RFC 0038, the HTTP interface between a connector and a settlement
// engine, in both roles of the connector: a [Settler] asks engines to pay, and a [Server] takes their
// reports of incoming payments.
//
// # Real programs
//
// Engines and connectors in use differ from the RFC and from one another:
//
//   - An answer of class 2xx to a settlement means that the engine has taken it over, not that it has
//     paid. Bodies are the Quantity, another text under a JSON type, or nothing, so statuses decide alone.
//   - Engines on the Rust library answer 409 to a repeat of a key and forget keys after 24 hours.
//     settlement-core answers as before, with its memory store until it is restarted.
//   - settlement-core answers 404 for an account that it does not know or has forgotten; other engines 500.
//   - A request without an answer may still be carried out, even long after the caller has given up.
//
// # Promises
//
// The [Server] books each reported payment once for account, key and value, and keeps the remainder below a
// unit. It answers a repeat as the first request, and gives no answer while the outcome is unknown: engines
// repeat such a request under the same key, and every other answer makes some of them change the key.
//
// The client sends each order under one key and with one quantity for ever. The key is the order's id, and
// the order is in the ledger before the first request. It never takes an answer for a failure: an order is
// paid, asked for again under its key, or waits for an operator. So an engine that keeps its keys pays
// each order once, whatever is lost on the way. No redirect is followed; bodies, connections and times are
// bounded.
//
// An engine that has lost its store answers 404, and has lost its keys too. A settlement that the engine may have
// taken over before then waits for an operator ([ErrEngineForgot]), where the RFC's programs send the key again and
// have it paid twice. If our process was restarted as well, its first request creates the account, and the loss is
// not seen: give engines a store that lasts.
//
// An order below one unit of the engine is declined, as a zero amount must not be sent. Give the policies of
// an engine's peers [Settler.UnitOf] as their minimum ([settlement.AtLeast]): otherwise a threshold below the
// unit has such an order placed and declined every [settlement.Config.OrderCooldown].
//
// [Client] is one engine, [Settler] the rail on it ([settlement.Settler]), [AccountIDs] the names of
// accounts on the wire, and [Quantity] an amount on the wire.
package rfc0038
