package enginetest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Control returns a handler with which programs of any language steer the engine. Bodies are JSON.
//
//	POST /test/faults    {"kind":"drop-after","request":"settlements","times":2}: Inject; delay in milliseconds as "delay_ms"
//	DELETE /test/faults  ClearFaults
//	POST /test/restart   {"empty":true}: Restart
//	POST /test/payments  {"account":"alice","id":"p1","amount":{"amount":"150","scale":2}}: Receive
//	GET /test/payments   the record of the rail, a list of payments
//
// The answers are 204, 200 for the list, 400 for a wrong command, and 500 for an error of the disk.
func (e *Engine) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /test/faults", control(func(c faultCommand) error { return e.Inject(c.fault()) }))
	mux.HandleFunc("DELETE /test/faults", func(w http.ResponseWriter, _ *http.Request) {
		e.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /test/restart", control(func(c struct {
		Empty bool `json:"empty"`
	},
	) error {
		return e.Restart(c.Empty)
	}))
	mux.HandleFunc("POST /test/payments", control(func(c struct {
		Account string           `json:"account"`
		ID      string           `json:"id"`
		Amount  rfc0038.Quantity `json:"amount"`
	},
	) error {
		return e.Receive(c.Account, c.ID, c.Amount)
	}))
	mux.HandleFunc("GET /test/payments", func(w http.ResponseWriter, _ *http.Request) {
		list, err := e.cfg.Rail.Payments()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", mediaJSON)
		_ = json.NewEncoder(w).Encode(append([]Payment{}, list...)) // the client may be gone
	})
	return mux
}

// faultCommand is a [Fault] in JSON.
type faultCommand struct {
	Kind     FaultKind `json:"kind"`
	Request  Request   `json:"request"`
	Account  string    `json:"account"`
	Times    int       `json:"times"`
	Status   int       `json:"status"`
	DelayMS  int64     `json:"delay_ms"`
	Size     int64     `json:"size"`
	Location string    `json:"location"`
}

func (c faultCommand) fault() Fault {
	return Fault{c.Kind, c.Request, c.Account, c.Times, c.Status, time.Duration(c.DelayMS) * time.Millisecond, c.Size, c.Location}
}

// control returns a handler for a command in JSON.
func control[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var command T
		d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&command); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch err := do(command); {
		case errors.Is(err, ErrInvalidConfig), errors.Is(err, ErrInvalidPayment):
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
