package rfc0038

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Client sends requests to one settlement engine. Each call is one request, and
// [Client.DeleteAccount] at most two: the caller decides what to do next. A redirect is never followed: real
// programs turn the POST into a GET then, and lose the settlement.
//
// A Client is safe for concurrent use, and makes no goroutines of its own besides those of net/http.
type Client struct {
	cfg    ClientConfig
	base   *url.URL
	header http.Header // of every request; never changed
	pool   *http.Transport
	stats  requestCounter
}

// NewClient makes a client. It sends nothing. Errors come from [ClientConfig.Validate].
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	base, err := parseBaseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	pool := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn}, nil
		},
		TLSClientConfig: cfg.TLS.Clone(), TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost: cfg.MaxConnections, MaxIdleConnsPerHost: cfg.MaxConnections,
		// Node closes a connection that was idle for 5 s. We close it first: a request on a connection
		// that is just being closed has an unknown outcome.
		IdleConnTimeout:        4 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // MaxAnswer bounds the bytes on the wire and in memory alike
	}
	return &Client{cfg: cfg, base: base, header: commonHeader(cfg), pool: pool}, nil
}

// Close closes the connections that no request uses. Calls under way go on until they end or their
// context does.
func (c *Client) Close() { c.pool.CloseIdleConnections() }

// CreateAccount creates an account in the engine. An account that exists already is no error: call it
// as often as you like. It may take long, and an engine may ask our connector about the account
// meanwhile, so the server must know the account before.
//
// Any error means that the account may be missing: an [AnswerError], a [NoAnswerError],
// [ErrOtherAccount] or [ErrInvalidAccountID].
func (c *Client) CreateAccount(ctx context.Context, account string) error {
	if err := checkAccountID(account); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"id": account})
	if err != nil {
		return err
	}
	got, err := c.send(ctx, &request{kind: KindCreate, method: http.MethodPost, account: account, mediaType: mediaJSON, body: body})
	if err != nil {
		return err
	}
	if other, ok := readOtherID(got.body, account); ok {
		return fmt.Errorf("%w: %.80q for %q", ErrOtherAccount, other, account)
	}
	return nil
}

// readOtherID returns the id in the answer to a create if it is not ours. Answers without JSON or
// without an id are fine: engines answer "CREATED", or nothing.
func readOtherID(body []byte, ours string) (id string, other bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return "", false
	}
	raw, has := fields["id"]
	if !has || string(raw) == "null" {
		return "", false
	}
	if json.Unmarshal(raw, &id) != nil {
		return string(raw), true
	}
	return id, id != ours
}

// DeleteAccount deletes an account in the engine, for good. An account that does not exist is no
// error. After a 500 it asks once more: settlement-core on Redis answers 500 although it has deleted the
// account, and 404 to the second request. An account with an open settlement must not be deleted:
// engines forget its keys. Errors: see [Client.CreateAccount].
func (c *Client) DeleteAccount(ctx context.Context, account string) error {
	if err := checkAccountID(account); err != nil {
		return err
	}
	r := &request{kind: KindDelete, method: http.MethodDelete, account: account, path: "/" + account}
	_, err := c.send(ctx, r)
	var answer *AnswerError
	if errors.As(err, &answer) && answer.Status == http.StatusInternalServerError {
		_, err = c.send(ctx, r)
	}
	if errors.Is(err, ErrUnknownAccount) {
		return nil
	}
	return err
}

// Taken is an engine's answer to a settlement that it has taken over. Taken over is not paid: an
// engine pays later, and some lose what they have taken over.
type Taken struct {
	Status int // 2xx
	// Quantity is the body of the answer, or nil if the body is no Quantity. Engines of an early draft name
	// a smaller amount than asked. Do not act on the amount.
	Quantity *Quantity
}

// MaxSentKey bounds the characters of a key that is sent.
const MaxSentKey = 64

// SendSettlement asks the engine to pay a quantity above 0 to an account. The key must be in your
// store before the first call, belongs to one quantity for ever, and has 1 to [MaxSentKey] letters,
// digits and dashes. Repeat the call under the same key until an answer is final.
//
// Errors, by the next step:
//
//   - [ErrUnknownAccount]: create the account, then repeat.
//   - [ErrKeySeen]: ask an operator.
//   - [ErrRefused]: ask an operator.
//   - [ledger.ErrOutcomeUnknown]: repeat later, with backoff. All other answers are of this kind, also
//     redirects and refusals of our token (401, 403, 407), and so is no answer at all.
//   - [ErrInvalidAccountID], [ErrInvalidKey], [ErrInvalidQuantity]: nothing was sent.
//
// No error means that the engine will not pay.
func (c *Client) SendSettlement(ctx context.Context, account, key string, q Quantity) (Taken, error) {
	if err := errors.Join(checkAccountID(account), checkSentKey(key)); err != nil {
		return Taken{}, err
	}
	if q.amount().Sign() <= 0 {
		return Taken{}, &QuantityError{Field: "amount", Reason: "must be above 0"}
	}
	body, err := q.MarshalJSON()
	if err != nil {
		return Taken{}, err
	}
	got, err := c.send(ctx, &request{
		kind: KindSettlement, method: http.MethodPost, account: account, path: "/" + account + "/settlements",
		mediaType: mediaJSON, key: key, body: body,
	})
	if err != nil {
		return Taken{}, err
	}
	return Taken{Status: got.status, Quantity: readQuantity(got.body, body, q)}, nil
}

// readQuantity returns the Quantity of an answer, or nil. Most engines send the request back, which costs no
// parsing.
func readQuantity(answered, sent []byte, q Quantity) *Quantity {
	if bytes.Equal(answered, sent) {
		return &q
	}
	other, err := ParseQuantity(answered)
	if err != nil {
		return nil
	}
	return &other
}

func checkSentKey(key string) error {
	if key == "" || len(key) > MaxSentKey || !isHeaderName(key) {
		return fmt.Errorf("%w: %.80q must have 1 to %d letters, digits and dashes", ErrInvalidKey, key, MaxSentKey)
	}
	return nil
}

// SendMessage gives the engine a message of the peer's engine, and returns the engine's reply, which
// may be empty. The message must not be empty. Do not repeat a message: its sender does.
// [ReadMessagePacket] reads the packet that brought the message, and [NewMessageAnswer] and
// [NewMessageReject] answer it.
//
// Errors are an [AnswerError], a [NoAnswerError], [ErrAnswerTooLarge], and before anything is sent
// [ErrEmptyMessage] and [ErrInvalidAccountID].
func (c *Client) SendMessage(ctx context.Context, account string, message []byte) ([]byte, error) {
	if err := checkAccountID(account); err != nil {
		return nil, err
	}
	if len(message) == 0 {
		return nil, ErrEmptyMessage
	}
	got, err := c.send(ctx, &request{
		kind: KindMessage, method: http.MethodPost, account: account, path: "/" + account + "/messages", mediaType: mediaOctets, body: message,
	})
	switch {
	case err != nil:
		return nil, err
	case got.bodyErr != nil: // half a reply is none
		return nil, &NoAnswerError{Err: got.bodyErr}
	case got.truncated:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrAnswerTooLarge, c.cfg.MaxAnswer)
	}
	return got.body, nil
}

// The ILP error codes of rejected messages.
const (
	codeBadRequest    = "F00"
	codeInvalidPacket = "F01"
	codeInternal      = "T00"
)

// MessageRejectCode returns the ILP error code for the reject of a packet whose message
// [Client.SendMessage] could not deliver: F00 if the engine refused the message (4xx), F01 if the
// packet matches [ErrMessagePacket], and otherwise T00, as the engine may have the message.
func MessageRejectCode(err error) string {
	var answer *AnswerError
	switch {
	case errors.Is(err, ErrMessagePacket):
		return codeInvalidPacket
	case errors.As(err, &answer) && answer.Status/100 == 4, errors.Is(err, ErrEmptyMessage):
		return codeBadRequest
	default:
		return codeInternal
	}
}
