package rfc0038_test

import (
	"cmp"
	"context"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// answersThatDiffer are the recorded answers of interledger-rs, the only real connector in the files, to which ours
// differ in kind (201, 409, another 4xx, 5xx, none), with the reason. In settlement-core.jsonl the connector was a
// script.
var answersThatDiffer = map[string]string{
	"settlement/same-key-same-body":               "a repeat has the first answer; 409 makes settlement-core report the payment again under another key",
	"settlement/same-key-other-spelling":          "as same-key-same-body",
	"settlement/same-key-equal-value-other-scale": "a key is bound to the value, in any scale",
	"settlement/same-key-other-account":           "keys of accounts are separate",
	"settlement/repeat-does-not-extend":           "as same-key-same-body; keys are kept for ever",
	"lucky-hash/equal-value-other-scale":          "a key is bound to the value, in any scale",
	"settlement/no-key":                           "a payment without a key is refused with an answer",
	"settlement/empty-key":                        "an empty key is shared by all payments of an engine that has none",
	"settlement/amount-negative":                  "it can never work, so 400",
	"settlement/amount-exponent":                  "it can never work, so 400",
	"settlement/amount-underscore":                "digits alone: programs read the others differently",
	"settlement/amount-plus":                      "digits alone: programs read the others differently",
	"settlement/2^63":                             "the ledger has 128 bits",
	"settlement/2^64":                             "the ledger has 128 bits",
	"settlement/2^64-again":                       "as same-key-same-body",
	"settlement/scale-255":                        "against section 7 (any scale): a remainder has 38 digits below the unit, so 422 and ServerEvents.Parked",
	"account/no-engine":                           "the server books for every account that it knows",
	"account/no-engine-fixed-same-key":            "as same-key-same-body",
	"method/early-draft-path":                     "the singular is an alias",
	"message/peer-unreachable-again":              "the key of a message is not looked at",
	"chain/payment-reported-twice":                "as same-key-same-body",
}

// TestRecordedServer plays what real engines, and a client that plays engines, sent to connectors. demandAnswer works
// out the answer by section 7 of the notes on real engines, independently of the server.
func TestRecordedServer(t *testing.T) {
	t.Parallel()
	playRecorded(t, toConnector, func(t *testing.T, file string) func(*testing.T, *exchange) {
		t.Helper()
		p := newRecordedServer(t, file)
		t.Cleanup(p.requireSums)
		t.Cleanup(p.requireDifferences)
		return p.play
	})
}

func TestAnswersThatDifferAreRecorded(t *testing.T) {
	t.Parallel()
	recorded := make(map[string]bool)
	for _, x := range readRecorded(t, filepath.Join("testdata", "recorded", "interledger-rs.jsonl")) {
		recorded[x.Case] = true
	}
	for name := range answersThatDiffer {
		require.True(t, recorded[name], name)
	}
}

// recordedServer is a server for the accounts of a file, with the values that its keys are bound to.
type recordedServer struct {
	t       *testing.T
	real    bool // the connector of the file is a real program, and its rows are in answersThatDiffer
	fixture *serverFixture
	bound   map[string]map[string]*big.Rat // by id and key
	relay   serverAnswer                   // of the peer to the next message; 0: unreachable
	// differed tells of the cases of answersThatDiffer that were played whether an answer differed.
	differed map[string]bool
}

func newRecordedServer(t *testing.T, file string) *recordedServer {
	t.Helper()
	p := &recordedServer{t: t, real: file == "interledger-rs" && os.Getenv("PEERLEDGER_RFC0038") == "", bound: make(map[string]map[string]*big.Rat), differed: make(map[string]bool)}
	p.fixture = newServerFixtureOn(t, embedded.New(), serverAsset, func(c *rfc0038.ServerConfig) {
		c.Relay = func(context.Context, accounts.PeerAccount, []byte) ([]byte, error) {
			if p.relay.status/100 != 2 {
				return nil, &rfc0038.RejectError{Code: "F02"}
			}
			return []byte(p.relay.body), nil
		}
	}, p.knownIDs(t, file)...)
	if p.bound["alice"] == nil {
		delete(p.fixture.byID, "alice")
	}
	return p
}

var recordedPath = regexp.MustCompile(`^/+accounts/+(.+?)/+(settlements?|messages)/*$`)

// knownIDs returns the accounts of the recorded connector: those with an answer other than 4xx, or 409.
func (p *recordedServer) knownIDs(t *testing.T, file string) (ids []string) {
	t.Helper()
	for _, x := range readRecorded(t, recordedPathOf(file)) {
		match := recordedPath.FindStringSubmatch(x.Path)
		if x.Direction != toConnector || match == nil || p.bound[match[1]] != nil {
			continue
		}
		if x.Status == nil || *x.Status/100 != 4 || *x.Status == http.StatusConflict {
			p.bound[match[1]] = make(map[string]*big.Rat)
			ids = append(ids, match[1])
		}
	}
	return ids
}

// recordedPathOf is the file that playRecorded names.
func recordedPathOf(file string) string {
	return filepath.Join(cmp.Or(os.Getenv("PEERLEDGER_RFC0038"), filepath.Join("testdata", "recorded")), file+".jsonl")
}

func (p *recordedServer) play(t *testing.T, x *exchange) {
	t.Helper()
	p.relay = serverAnswer{}
	if x.Status != nil {
		p.relay = serverAnswer{status: *x.Status, body: string(x.ResponseBody)}
	}
	want := p.demandAnswer(x)
	var calls sync.WaitGroup
	answers := make([]serverAnswer, max(x.Parallel, 1))
	for i := range answers {
		calls.Go(func() {
			r := httptest.NewRequest(x.Method, "http://connector"+x.Path, strings.NewReader(string(x.RequestBody)))
			r.Header = x.RequestHeaders.header()
			answers[i] = answerOf(p.fixture.server, r)
		})
	}
	calls.Wait()
	for _, got := range answers {
		require.Equal(t, want.status, got.status, "%s", x.RequestBody)
		switch {
		case want.status == http.StatusCreated && strings.Contains(x.Path, "settlement"):
			require.JSONEq(t, normalQuantity(t, x.RequestBody), got.body)
		case want.status == http.StatusCreated:
			require.Equal(t, string(x.ResponseBody), got.body)
			require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
		}
	}
	if p.real {
		recorded := 0
		if x.Status != nil {
			recorded = *x.Status
		}
		if _, listed := answersThatDiffer[x.Case]; listed {
			p.differed[x.Case] = p.differed[x.Case] || answerKind(recorded) != answerKind(want.status)
			return
		}
		require.Equal(t, answerKind(recorded), answerKind(want.status), "the recorded answer is %d: list the case in answersThatDiffer", recorded)
	}
}

// answerKind is what a client tells apart.
func answerKind(status int) string {
	if status == http.StatusConflict {
		return "409"
	}
	return strconv.Itoa(status/100) + "xx"
}

// demandAnswer returns the status that section 7 demands. A new key is bound.
func (p *recordedServer) demandAnswer(x *exchange) serverAnswer {
	match := recordedPath.FindStringSubmatch(x.Path)
	headers := x.RequestHeaders.header()
	switch {
	case match == nil:
		return serverAnswer{status: 404}
	case x.Method != http.MethodPost:
		return serverAnswer{status: 405}
	case p.bound[match[1]] == nil:
		return serverAnswer{status: 404}
	case match[2] == "messages" && p.relay.status/100 != 2:
		return serverAnswer{status: 502}
	case match[2] == "messages":
		return serverAnswer{status: 201}
	case headers.Get("Content-Type") != "" && !strings.HasPrefix(headers.Get("Content-Type"), "application/json"):
		return serverAnswer{status: 415}
	case headers.Get("Idempotency-Key") == "":
		return serverAnswer{status: 400}
	}
	value, ok := recordedValue(x.RequestBody)
	bound, known := p.bound[match[1]][headers.Get("Idempotency-Key")]
	switch {
	case !ok:
		return serverAnswer{status: 400}
	case value.Sign() == 0:
		return serverAnswer{status: 201}
	case !new(big.Rat).Mul(value, tenTo(int(serverAsset.Scale)+38)).IsInt():
		return serverAnswer{status: 422} // against section 7: see settlement/scale-255
	case known && bound.Cmp(value) != 0:
		return serverAnswer{status: 409}
	}
	p.bound[match[1]][headers.Get("Idempotency-Key")] = value
	return serverAnswer{status: 201}
}

var (
	recordedAmount = regexp.MustCompile(`^"[0-9]+"$`)
	recordedScale  = regexp.MustCompile(`^[0-9]{1,3}$`)
)

// recordedValue reads a Quantity.
func recordedValue(body []byte) (*big.Rat, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || !recordedAmount.Match(fields["amount"]) || !recordedScale.Match(fields["scale"]) {
		return nil, false
	}
	scale, _ := strconv.Atoi(string(fields["scale"]))
	amount, _ := new(big.Rat).SetString(strings.Trim(string(fields["amount"]), `"`))
	return amount.Quo(amount, tenTo(scale)), scale <= 255
}

func tenTo(n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
}

// normalQuantity is the Quantity of a request without leading zeros and other names.
func normalQuantity(t *testing.T, body []byte) string {
	t.Helper()
	q, err := rfc0038.ParseQuantity(body)
	require.NoError(t, err)
	text, err := json.Marshal(q)
	require.NoError(t, err)
	return string(text)
}

// requireDifferences requires of each listed case that was played that an answer differed: else it hides a new fault.
func (p *recordedServer) requireDifferences() {
	for name, differed := range p.differed {
		require.True(p.t, differed, "the answers to %s are the recorded ones: take it out of answersThatDiffer", name)
	}
}

// requireSums requires the values of all bound keys in the books, exactly.
func (p *recordedServer) requireSums() {
	for id, values := range p.bound {
		sum := new(big.Rat)
		for _, value := range values {
			sum.Add(sum, value)
		}
		b, err := p.fixture.book.Balance(context.Background(), p.fixture.byID[id])
		require.NoError(p.t, err)
		remainder, err := p.fixture.engine.Remainder(context.Background(), p.fixture.byID[id])
		require.NoError(p.t, err)
		booked := remainder.Add(remainder, new(big.Rat).SetInt(b.SettledIn.Big()))
		require.Equal(p.t, sum.RatString(), booked.Quo(booked, tenTo(int(serverAsset.Scale))).RatString(), id)
	}
}
