package rfc0038_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// FuzzServer sends a request line with headers, and a body, twice: the server never redirects and never panics, and the
// two book no more than one payment between them, and only for a body with a value.
func FuzzServer(f *testing.F) {
	for _, head := range []string{
		"POST /accounts/alice/settlements HTTP/1.1\r\nIdempotency-Key: k",
		"POST //accounts//alice/settlement/ HTTP/1.1\r\nIdempotency-Key: [object Object]\r\nContent-Type: application/json;charset=utf-8",
		"POST /accounts/%61lice/settlements?x HTTP/1.0\r\nidempotency-key: a\r\nIdempotency-Key: b",
		"POST /accounts/alice/messages HTTP/1.1\r\nContent-Type: application/octet-stream", "PUT /accounts/alice/settlements HTTP/1.1",
		"GET /.. HTTP/1.1", "POST /accounts/a/b/settlements HTTP/1.1\r\nIdempotency-Key: k", "OPTIONS * HTTP/1.1", "CONNECT a:1 HTTP/1.1",
	} {
		for _, body := range []string{`{"amount":"15","scale":3}`, `{"amount":"0","scale":0}`, `{"amount":"1","scale":255}`, `{"amount":15,"scale":"3"}`, ""} {
			f.Add(head, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, head string, body []byte) {
		fixture := newServerFixture(t, func(c *rfc0038.ServerConfig) {
			c.Relay = func(_ context.Context, _ accounts.PeerAccount, message []byte) ([]byte, error) { return message, nil }
		}, "a/b")
		var answers []serverAnswer
		for range 2 {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\nHost: x\r\n\r\n")))
			if err != nil {
				return // the server of net/http answers 400
			}
			sent := newReport("/", "", string(body))
			r.Body, r.ContentLength = sent.Body, sent.ContentLength
			answers = append(answers, answerOf(fixture.server, r))
		}
		require.Equal(t, answers[0], answers[1])
		require.Contains(t, []int{201, 400, 404, 405, 413, 415, 422}, answers[0].status)
		booked := 0
		for _, event := range fixture.takeEvents() {
			if event == "booked" {
				booked++
			}
		}
		q, err := rfc0038.ParseQuantity(body)
		require.LessOrEqual(t, booked, 1)
		if booked == 1 {
			require.NoError(t, err)
			require.Equal(t, http.StatusCreated, answers[0].status)
			require.False(t, q.IsZero())
		}
	})
}
