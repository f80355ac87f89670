package check_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/check"
)

// What a subject says reaches the operator's terminal as text, never as control characters.
func TestSubjectCannotWriteToTheTerminal(t *testing.T) {
	t.Parallel()
	subject := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{"text/\u009b31m"}
		w.WriteHeader(400)
		_, _ = io.WriteString(w, "\x1b[2J\u009b31m\u202ereversed\u2066")
	}))
	defer subject.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	report, err := check.Run(t.Context(), check.Config{
		URL: subject.URL, Timeout: time.Second, Listener: l, Account: "alice",
		Trigger: func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/%1b%5b2J/x", strings.NewReader("\x1b[2J"))
			if err != nil {
				return err
			}
			r.Header["Idempotency-Key"] = []string{"\u009b31m"}
			resp, err := http.DefaultClient.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil
		},
	})
	require.NoError(t, err)
	isHostile := func(r rune) bool { return r != '…' && !unicode.IsPrint(r) }
	for _, r := range report.Results {
		if strings.ContainsFunc(r.Why, isHostile) {
			t.Errorf("%s: why %q", r.ID, r.Why)
		}
		for _, e := range r.Exchanges {
			if strings.ContainsFunc(e.Sent+e.Seen, isHostile) {
				t.Errorf("%s: sent %.80q seen %.80q", r.ID, e.Sent, e.Seen)
			}
		}
	}
}
