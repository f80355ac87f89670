package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// silence is how long the rail keeps the first payment of a key without an answer.
const silence = 5 * time.Second

// rail pays once for a key. The first call of a key gets no answer in time.
type rail struct {
	tracer trace.Tracer
	asked  chan string // gets the key of each call

	mu   sync.Mutex
	paid map[string]bool
}

// ServeHTTP takes POST /KEY. The span continues the trace of the caller.
func (r *rail) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	ctx := propagation.TraceContext{}.Extract(request.Context(), propagation.HeaderCarrier(request.Header))
	_, span := r.tracer.Start(ctx, "POST /payments", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	key := strings.TrimPrefix(request.URL.Path, "/")
	r.mu.Lock()
	wasPaid := r.paid[key]
	r.paid[key] = true
	r.mu.Unlock()
	if wasPaid {
		span.AddEvent("answered from the key, which was paid before")
	} else {
		span.AddEvent("paid")
	}
	r.asked <- key
	if !wasPaid {
		select {
		case <-request.Context().Done():
		case <-time.After(silence):
		}
		return
	}
	w.WriteHeader(http.StatusOK)
}

// settler pays through the rail at an address.
type settler struct{ address string }

// Settle implements settlement.Settler. The request carries the context of the trace.
func (s settler) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+"/"+o.ID.String(), nil)
	if err != nil {
		return ledger.Amount{}, err
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return ledger.Amount{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		return ledger.Amount{}, fmt.Errorf("rail answered %s", answer.Status)
	}
	return o.Amount, nil
}
