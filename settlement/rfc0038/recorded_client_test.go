package rfc0038_test

import (
	"errors"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// clientDifferences are the recorded requests that our client never sends, by case, with the reason. Their
// answers are played like all others.
var clientDifferences = map[string]string{
	"account/create-without-id":       "an account has an id of ours: the engine would make one up",
	"account/create-id-empty-string":  "an account has an id of ours: the engine would make one up",
	"account/create-id-null":          "an account has an id of ours: the engine would make one up",
	"account/create-id-number":        "ids are strings",
	"account/create-id-colon":         "ids have no colon: engines refuse it",
	"account/create-other-field":      "the name of an earlier draft creates a random account",
	"account/create-bad-json":         "JSON is written by a library",
	"settlement/no-key":               "a settlement without a key is paid again by a repeat",
	"settlement/empty-key":            "a settlement without a key is paid again by a repeat",
	"settlement/key-with-colon":       "keys have no colon: engines refuse it",
	"settlement/key-twice":            "a request has one key",
	"settlement/amount-number":        "amounts are strings",
	"settlement/amount-zero":          "an order below one unit is declined and not sent",
	"settlement/amount-negative":      "amounts are above 0",
	"settlement/amount-leading-zeros": "amounts have no leading zeros",
	"settlement/body-over-100kB":      "amounts have at most 39 digits",
	"settlement/scale-256":            "scales are at most 255",
	"settlement/scale-string":         "scales are numbers",
	"settlement/scale-2.0":            "scales are written as integers",
	"settlement/account-colon":        "ids have no colon: engines refuse it",
	"settlement/no-content-type":      "engines ignore a body without a type",
	"settlement/early-draft-path":     "the path of an earlier draft is unknown to engines of today",
	"message/json-content-type":       "engines answer 500 to other types than octets",
	"message/empty":                   "engines answer 500 to empty messages",
	"create/base-path-slash":          "a slash at the end of the base URL is not doubled: engines answer 404 below a path",
	"settle/base-path-slash":          "a slash at the end of the base URL is not doubled: engines answer 404 below a path",
	"settle/302":                      "no redirect is followed: the repeat would have no body, and its 200 would count",
}

var enginePath = regexp.MustCompile(`^(.*?)/+accounts(?:/([^/]+))?(?:/(settlements?|messages))?$`)

// recordedRow is a row with its request taken apart.
type recordedRow struct {
	*exchange

	prefix, account, action string
	reason                  string // why our request differs; "" if it does not
}

// TestRecordedClient plays recorded engines: our client sends its own request, gets the recorded answer, and
// takes the next step that [rfc0038.Client.SendSettlement] documents.
func TestRecordedClient(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	playRecorded(t, toEngine, func(*testing.T, string) func(*testing.T, *exchange) {
		return func(t *testing.T, x *exchange) {
			t.Helper()
			row := recordedRow{exchange: x, reason: clientDifferences[x.Case]}
			used[x.Case] = true
			m := enginePath.FindStringSubmatch(x.Path)
			if m == nil { // the target of a redirect
				require.NotEmpty(t, row.reason, "%s %s", x.Method, x.Path)
				return
			}
			row.prefix, row.account, row.action = m[1], m[2], m[3]
			row.play(t)
		}
	})
	for name := range clientDifferences {
		require.True(t, used[name] || os.Getenv("PEERLEDGER_RFC0038") != "", "no row of the case %s", name)
	}
}

func (x *recordedRow) play(t *testing.T) {
	t.Helper()
	for _, answer := range x.answers() {
		switch {
		case x.Method == http.MethodDelete:
			x.playDelete(t, answer)
		case x.action == "messages":
			x.playMessage(t, answer)
		case x.action == "":
			x.playCreate(t, answer)
		default:
			x.playSettlement(t, answer)
			x.playOrder(t, answer)
		}
	}
}

// recordedAnswer is one answer of a row. Status 0: none.
type recordedAnswer struct {
	status int
	header http.Header
	body   []byte
}

// answers lists the row's answers: of parallel requests each that came.
func (x *recordedRow) answers() []recordedAnswer {
	if x.Parallel > 1 {
		var list []recordedAnswer
		for text := range x.Answers {
			digits, body, _ := strings.Cut(text, " ")
			status, _ := strconv.Atoi(digits)
			list = append(list, recordedAnswer{status: status, body: []byte(body)})
		}
		return list
	}
	if x.Status == nil {
		return []recordedAnswer{{}}
	}
	return []recordedAnswer{{*x.Status, x.ResponseHeaders.header(), x.ResponseBody}}
}

func (a recordedAnswer) serve(w http.ResponseWriter, r *http.Request) {
	if a.status == 0 {
		answerRaw("")(w, r)
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// step is the next step after the answer; nil if it is final.
func (a recordedAnswer) step() error {
	switch {
	case a.status/100 == 2:
		return nil
	case a.status == 404:
		return rfc0038.ErrUnknownAccount
	case a.status == 409:
		return rfc0038.ErrKeySeen
	case a.status == 400, a.status == 405, a.status == 413:
		return rfc0038.ErrRefused
	default:
		return ledger.ErrOutcomeUnknown
	}
}

func (x *recordedRow) engine(t *testing.T, answers ...http.HandlerFunc) (*scriptedEngine, *rfc0038.Client) {
	t.Helper()
	e := newScriptedEngine(t, answers...)
	return e, newClient(t, e.URL+x.prefix)
}

// compare holds our request against the recorded one, which the engine understood.
func (x *recordedRow) compare(t *testing.T, got seen) {
	t.Helper()
	if x.reason != "" {
		return
	}
	want := x.RequestHeaders.header()
	require.Equal(t, x.Method, got.method)
	require.Equal(t, x.Path, got.path)
	wantType, _, _ := mime.ParseMediaType(want.Get("Content-Type"))
	gotType, _, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
	require.Equal(t, wantType, gotType)
	if wantType == "application/json" {
		require.JSONEq(t, string(x.RequestBody), got.body)
	} else {
		require.Equal(t, string(x.RequestBody), got.body)
	}
	if x.action == "settlements" {
		require.Equal(t, want.Values("Idempotency-Key"), got.header.Values("Idempotency-Key"))
	}
}

// ourAccount is the recorded account, or an id that we could send in its place.
func (x *recordedRow) ourAccount() string {
	if x.account == "" {
		x.account = regexp.MustCompile(`"id":"([^"]*)"`).FindStringSubmatch(string(x.RequestBody) + `"id":"none"`)[1]
	}
	if x.reason != "" {
		return "1-alice"
	}
	return x.account
}

func (x *recordedRow) playCreate(t *testing.T, answer recordedAnswer) {
	t.Helper()
	e, c := x.engine(t, answer.serve)
	err := c.CreateAccount(t.Context(), x.ourAccount())
	otherID := strings.Contains(string(answer.body), `{"id":"`) && !strings.Contains(string(answer.body), x.ourAccount())
	switch {
	case answer.step() != nil:
		require.ErrorIs(t, err, answer.step())
	case otherID:
		require.ErrorIs(t, err, rfc0038.ErrOtherAccount)
	default:
		require.NoError(t, err)
	}
	requests := e.take()
	require.Len(t, requests, 1)
	x.compare(t, requests[0])
}

func (x *recordedRow) playDelete(t *testing.T, answer recordedAnswer) {
	t.Helper()
	e, c := x.engine(t, answer.serve, status(404))
	require.NoError(t, c.DeleteAccount(t.Context(), x.ourAccount()))
	requests := e.take()
	x.compare(t, requests[0])
	require.Equal(t, answer.status == 500, len(requests) == 2, "asked once more")
}

func (x *recordedRow) playMessage(t *testing.T, answer recordedAnswer) {
	t.Helper()
	e, c := x.engine(t, answer.serve)
	message := []byte(x.RequestBody)
	if len(message) == 0 {
		_, err := c.SendMessage(t.Context(), "1-alice", message)
		require.ErrorIs(t, err, rfc0038.ErrEmptyMessage)
		message = []byte("x")
	}
	if x.Case == "message/empty" { // the answer of the Rust library to a body that is not sent
		x.reason = clientDifferences[x.Case]
	}
	reply, err := c.SendMessage(t.Context(), x.ourAccount(), message)
	requests := e.take()
	require.Len(t, requests, 1, "a message is sent once")
	x.compare(t, requests[0])
	if answer.step() == nil {
		require.NoError(t, err)
		require.Equal(t, answer.body, reply)
		return
	}
	require.ErrorIs(t, err, answer.step())
	require.Equal(t, map[bool]string{true: "F00", false: "T00"}[answer.status/100 == 4], rfc0038.MessageRejectCode(err))
}

// playSettlement sends the recorded settlement, or one of ours where we would never send it.
func (x *recordedRow) playSettlement(t *testing.T, answer recordedAnswer) {
	t.Helper()
	e, c := x.engine(t, answer.serve)
	q, key := quantity(t, "250", 2), "our-key"
	if x.reason == "" {
		var err error
		q, err = rfc0038.ParseQuantity(x.RequestBody)
		require.NoError(t, err)
		key = x.RequestHeaders.header().Get("Idempotency-Key")
	}
	taken, err := c.SendSettlement(t.Context(), x.ourAccount(), key, q)
	requests := e.take()
	require.Len(t, requests, 1)
	x.compare(t, requests[0])
	if answer.step() != nil {
		require.ErrorIs(t, err, answer.step())
		return
	}
	require.NoError(t, err)
	answered, err := rfc0038.ParseQuantity(answer.body)
	require.Equal(t, err == nil, taken.Quantity != nil)
	require.True(t, err != nil || answered.Equal(*taken.Quantity))
}

// playOrder gives the Settler an order of the recorded amount and the recorded answer, calls it again, and
// checks the requests that follow.
func (x *recordedRow) playOrder(t *testing.T, answer recordedAnswer) {
	t.Helper()
	q, err := rfc0038.ParseQuantity(x.RequestBody)
	if err != nil || q.IsZero() {
		q = quantity(t, "250", 2)
	}
	e, c := x.engine(t, created, answer.serve, status(201))
	s, order, tookLess := recordedSettler(t, c, q)
	_, first := s.Settle(t.Context(), order)
	_, second := s.Settle(t.Context(), order)
	var keys []string
	for _, r := range e.take() {
		keys = append(keys, r.header.Get("Idempotency-Key"))
	}
	key := order.ID.String()
	switch step := answer.step(); {
	case step == nil:
		require.NoError(t, errors.Join(first, second))
		require.Equal(t, []string{"", key}, keys, "taken: nothing more is sent")
		answered, err := rfc0038.ParseQuantity(answer.body)
		require.Equal(t, err == nil && q.Compare(answered) > 0, *tookLess)
	case errors.Is(step, rfc0038.ErrUnknownAccount):
		require.NoError(t, errors.Join(first, second))
		require.Equal(t, []string{"", key, "", key}, keys, "the account is created, and the same key sent again")
	case !errors.Is(step, ledger.ErrOutcomeUnknown):
		require.ErrorIs(t, first, settlement.ErrPending)
		require.ErrorIs(t, second, step)
		require.Equal(t, []string{"", key}, keys, "an operator decides")
		require.Equal(t, answer.status == 409, s.Stuck()[0].IsParked())
	default:
		require.ErrorIs(t, first, ledger.ErrOutcomeUnknown)
		require.NoError(t, second)
		require.Equal(t, []string{"", key, key}, keys, "the same key again")
	}
}

func recordedSettler(t *testing.T, c *rfc0038.Client, q rfc0038.Quantity) (*rfc0038.Settler, settlement.Order, *bool) {
	t.Helper()
	asset := accounts.Asset{Code: "USD", Scale: q.Scale, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", asset)
	require.NoError(t, err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	require.NoError(t, err)
	tookLess := new(bool)
	s, err := rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: c, IDs: ids, Events: rfc0038.SettlerEvents{TookLess: func(rfc0038.ShortAnswer) { *tookLess = true }},
	})
	require.NoError(t, err)
	return s, settlement.Order{ID: ledger.NewID(1, 1), Account: alice, Asset: asset, Amount: ledger.ClampAmount(q.Amount)}, tookLess
}
