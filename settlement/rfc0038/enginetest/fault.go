package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Request names a kind of request of a connector.
type Request string

// The kinds of requests.
const (
	AnyRequest Request = ""
	Create     Request = "accounts"    // POST /accounts
	Delete     Request = "delete"      // DELETE /accounts/ID
	Settle     Request = "settlements" // POST /accounts/ID/settlements
	Message    Request = "messages"    // POST /accounts/ID/messages
)

// FaultKind names a fault.
type FaultKind string

// The faults. Before means that the request was not carried out, after that it was.
const (
	DropBefore   FaultKind = "drop-before"   // closes the connection before
	DropAfter    FaultKind = "drop-after"    // closes the connection after
	StatusBefore FaultKind = "status-before" // answers Fault.Status before
	StatusAfter  FaultKind = "status-after"  // answers Fault.Status after
	Twice        FaultKind = "twice"         // sends the answer two times
	Late         FaultKind = "late"          // answers Fault.Delay after it was carried out
	Slow         FaultKind = "slow"          // sends the body for Fault.Delay, a space every 100 ms
	Huge         FaultKind = "huge"          // sends a body of Fault.Size bytes
	Redirect     FaultKind = "redirect"      // answers Fault.Status, default 302, with a Location, before
)

var faultKinds = []FaultKind{DropBefore, DropAfter, StatusBefore, StatusAfter, Twice, Late, Slow, Huge, Redirect}

// Fault is what goes wrong with some requests.
type Fault struct {
	Kind     FaultKind
	Request  Request       // which requests. Default AnyRequest
	Account  string        // of this account. Default "": of all
	Times    int           // with so many requests. Default 1; negative: with all from now on
	Status   int           // 200 to 599, for StatusBefore, StatusAfter and Redirect. Default 503, or 302
	Delay    time.Duration // for Late and Slow. Default 15 s
	Size     int64         // for Huge, in bytes. Default 1 GiB
	Location string        // for Redirect. Default "/elsewhere"
}

// fault is a fault with the number of its requests left.
type fault struct {
	Fault
	left int
}

// Inject has the next matching requests fail. Faults that match one request take turns: the oldest comes
// first. Errors match [ErrInvalidConfig].
func (e *Engine) Inject(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("%w: Kind: %q is none of %v", ErrInvalidConfig, f.Kind, faultKinds)
	}
	if f.Kind == Redirect {
		setDefault(&f.Status, http.StatusFound)
	}
	setDefault(&f.Times, 1)
	setDefault(&f.Status, http.StatusServiceUnavailable)
	setDefault(&f.Delay, 15*time.Second)
	setDefault(&f.Size, 1<<30)
	setDefault(&f.Location, "/elsewhere")
	if f.Status < 200 || f.Status > 599 {
		return fmt.Errorf("%w: Status: %d", ErrInvalidConfig, f.Status)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, &fault{f, f.Times})
	return nil
}

// ClearFaults removes all faults.
func (e *Engine) ClearFaults() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
}

// takeFault returns the fault for a request; the zero fault for none. The caller holds mu.
func (e *Engine) takeFault(kind Request, account string) Fault {
	for i, f := range e.faults {
		if f.Request != AnyRequest && f.Request != kind || f.Account != "" && f.Account != account {
			continue
		}
		if f.left--; f.left == 0 {
			e.faults = slices.Delete(e.faults, i, i+1)
		}
		return f.Fault
	}
	return Fault{}
}

// serve answers a request with a fault. act carries the request out.
func (f Fault) serve(w http.ResponseWriter, r *http.Request, act func() answer) {
	switch f.Kind {
	case DropBefore:
		panic(http.ErrAbortHandler)
	case StatusBefore:
		http.Error(w, "a fault was ordered", f.Status)
		return
	case Redirect:
		w.Header().Set("Location", f.Location)
		w.WriteHeader(f.Status)
		return
	case DropAfter, StatusAfter, Twice, Late, Slow, Huge:
	}
	a := act()
	switch {
	case a.status == 0, f.Kind == DropAfter:
		panic(http.ErrAbortHandler)
	case f.Kind == StatusAfter:
		http.Error(w, "a fault was ordered", f.Status)
	case f.Kind == Twice:
		a.sendTwice(w)
	case f.Kind == Late:
		if waitFor(r.Context(), f.Delay) != nil {
			panic(http.ErrAbortHandler)
		}
		a.send(w)
	case f.Kind == Slow:
		f.sendSlowly(w, r, a)
	case f.Kind == Huge:
		f.sendMuch(w, a)
	default:
		a.send(w)
	}
}

func (a answer) send(w http.ResponseWriter) {
	a.sendHead(w)
	_, _ = w.Write(a.body) // the connector may be gone
}

// sendHead sends all but the body.
func (a answer) sendHead(w http.ResponseWriter) {
	if a.media != "" {
		w.Header().Set("Content-Type", a.media)
	}
	w.WriteHeader(a.status)
}

// sendTwice sends the answer two times in one write.
func (a answer) sendTwice(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close() //nolint:errcheck // the answer is written
	var text bytes.Buffer
	head := http.Header{"Content-Length": {strconv.Itoa(len(a.body))}}
	if a.media != "" {
		head.Set("Content-Type", a.media)
	}
	fmt.Fprintf(&text, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	_ = head.Write(&text) // a buffer takes everything
	fmt.Fprintf(&text, "\r\n%s", a.body)
	for range 2 {
		_, _ = buffered.Write(text.Bytes())
	}
	_ = buffered.Flush() // the connector may be gone
}

func (f Fault) sendSlowly(w http.ResponseWriter, r *http.Request, a answer) {
	a.sendHead(w)
	flusher := http.NewResponseController(w)
	for begin := time.Now(); time.Since(begin) < f.Delay; {
		_, err := w.Write([]byte(" "))
		if err != nil || flusher.Flush() != nil || waitFor(r.Context(), 100*time.Millisecond) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	_, _ = w.Write(a.body)
}

func (f Fault) sendMuch(w http.ResponseWriter, a answer) {
	a.sendHead(w)
	spaces := bytes.Repeat([]byte(" "), 64<<10)
	for sent := int64(0); sent < f.Size; sent += int64(len(spaces)) {
		if _, err := w.Write(spaces); err != nil {
			return
		}
	}
	_, _ = w.Write(a.body)
}

// waitFor waits. The error is the context's.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
