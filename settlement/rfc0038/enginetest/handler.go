package enginetest

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// maxBody bounds the body of a request and of an answer, in bytes.
const maxBody = 1 << 20

// answer is an answer to a request. The zero answer closes the connection.
type answer struct {
	status int
	media  string
	body   []byte
}

const (
	mediaJSON    = "application/json"
	mediaOctets  = "application/octet-stream"
	mediaProblem = "application/problem+json"
	mediaText    = "text/plain; charset=utf-8"
)

// ServeHTTP answers the connector. A connection is closed without an answer while the engine restarts,
// and when a store cannot be written: the outcome is unknown.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, kind := parsePath(r.URL)
	run, f := e.beginRequest(w, r, id, kind)
	if run == nil {
		panic(http.ErrAbortHandler)
	}
	defer e.endRequest(run, r)
	inRun := r
	if f.Kind != "" || kind == Message { // others do not use the context
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(run.ctx, cancel)()
		inRun = r.WithContext(ctx)
	}
	f.serve(w, inRun, func() answer { return e.answerRequest(run, inRun, id, kind) })
}

// beginRequest notes a request, and returns its run, nil without one, and the fault for the request. Call endRequest
// with the run in the end.
func (e *Engine) beginRequest(w http.ResponseWriter, r *http.Request, id string, kind Request) (*run, Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run == nil {
		return nil, Fault{}
	}
	e.run.work.Add(1)
	e.run.requests[r] = w
	return e.run, e.takeFault(kind, id)
}

func (e *Engine) endRequest(run *run, r *http.Request) {
	e.mu.Lock()
	delete(run.requests, r)
	e.mu.Unlock()
	run.work.Done()
}

// parsePath returns the account and the kind of a request. Empty segments of the path do not count:
// base URLs of connectors may end with a slash.
func parsePath(u *url.URL) (id string, kind Request) {
	path, unescape := u.EscapedPath(), url.PathUnescape
	if u.RawPath == "" { // no segment has an escaped slash
		path, unescape = u.Path, func(part string) (string, error) { return part, nil }
	}
	var parts [4]string
	n := 0
	for part := range strings.SplitSeq(path, "/") {
		if text, err := unescape(part); err == nil && text != "" && n < len(parts) {
			parts[n] = text
			n++
		}
	}
	switch {
	case n == 0 || n == len(parts) || parts[0] != "accounts":
		return "", ""
	case n == 1:
		return "", Create
	case n == 2:
		return parts[1], Delete
	default:
		return parts[1], Request(parts[2])
	}
}

// answerRequest checks a request and carries it out.
func (e *Engine) answerRequest(run *run, r *http.Request, id string, kind Request) answer {
	settle := Settle
	if e.cfg.Mode == Early {
		settle = "settlement"
	}
	method := http.MethodPost
	if kind == Delete {
		method = http.MethodDelete
	}
	switch {
	case !e.isAuthorized(r):
		return answer{http.StatusUnauthorized, mediaText, []byte("the bearer token is missing or wrong")}
	case kind != Create && kind != Delete && kind != settle && kind != Message:
		return answer{http.StatusNotFound, mediaText, []byte("no such path")}
	case r.Method != method:
		return answer{http.StatusMethodNotAllowed, mediaText, []byte("the method must be " + method)}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return answer{}
	case len(body) > maxBody:
		return answer{http.StatusRequestEntityTooLarge, mediaText, []byte("the body is too large")}
	}
	switch kind {
	case Create:
		return e.createAccount(run, body)
	case Delete:
		return e.deleteAccount(run, id)
	case Message:
		return e.answerMessage(r.Context(), run, id, body)
	case Settle, AnyRequest:
	}
	return e.settle(run, r.Header["Idempotency-Key"], id, body)
}

func (e *Engine) isAuthorized(r *http.Request) bool {
	want := "Bearer " + e.cfg.Token
	return e.cfg.Token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) == 1
}

// refuseBody answers a body that cannot be read.
func (e *Engine) refuseBody(err error) answer {
	if e.cfg.Mode == Text {
		return answer{http.StatusMethodNotAllowed, mediaProblem, []byte(`{"type":"about:blank","title":"Method Not Allowed","status":405}`)}
	}
	return answer{http.StatusBadRequest, mediaText, []byte(err.Error())}
}

var (
	errBadID  = errors.New("the id must be a string of 1 to 255 printable characters without slash and colon")
	errUnsafe = errors.New("the body must be a JSON object")
)

// createAccount creates an account, again if need be. An account without an id gets one.
func (e *Engine) createAccount(run *run, body []byte) answer {
	var fields struct {
		ID *string `json:"id"`
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return e.refuseBody(errUnsafe)
	}
	var id string
	if fields.ID != nil {
		id = *fields.ID
	}
	switch {
	case id == "" && e.cfg.Mode == Text:
		return e.refuseBody(errBadID)
	case id == "":
		id = newUUID()
	case rfc0038.ParseKey(id) != nil || strings.ContainsAny(id, "/:"):
		return e.refuseBody(errBadID)
	}
	e.mu.Lock()
	a := run.store.findAccount(id)
	if !a.live {
		a.place = run.store.write(entryCreated, entry{Account: id})
	}
	place := a.place // maybe of a request that waits
	e.mu.Unlock()
	if run.store.wait(run.ctx, place) != nil {
		return answer{}
	}
	if e.cfg.Mode == Text {
		return answer{http.StatusCreated, mediaJSON, []byte("CREATED")}
	}
	text, err := json.Marshal(map[string]string{"id": id})
	if err != nil {
		return answer{}
	}
	return answer{http.StatusCreated, mediaJSON, text}
}

// deleteAccount deletes an account. Keys and unpaid settlements stay, and bind again when the account
// is created again.
func (e *Engine) deleteAccount(run *run, id string) answer {
	e.mu.Lock()
	a := run.store.accounts[id]
	live := a != nil && a.live
	var place wal.Position
	if live {
		a.place = run.store.write(entryDeleted, entry{Account: id})
	}
	if a != nil {
		place = a.place // maybe of a request that waits
	}
	e.mu.Unlock()
	switch {
	case run.store.wait(run.ctx, place) != nil:
		return answer{}
	case !live:
		return answerUnknownAccount()
	}
	return answer{status: http.StatusNoContent}
}

func answerUnknownAccount() answer {
	return answer{http.StatusNotFound, mediaText, []byte("no such account")}
}

// addressRequest asks an engine for its address on the rail.
var addressRequest = []byte(`{"type":"address"}`)

func (e *Engine) answerMessage(ctx context.Context, run *run, id string, message []byte) answer {
	e.mu.Lock()
	live := run.store.accounts[id] != nil && run.store.accounts[id].live
	e.mu.Unlock()
	if !live {
		return answerUnknownAccount()
	}
	var reply []byte
	var err error
	if bytes.Equal(message, addressRequest) {
		reply, err = json.Marshal(Address{Engine: e.cfg.Name, Account: id})
	} else {
		reply, err = e.cfg.Message(ctx, id, message)
	}
	switch {
	case err != nil:
		return answer{http.StatusBadRequest, mediaText, []byte(err.Error())}
	case e.cfg.Mode == Text && len(reply) == 0:
		return answer{http.StatusCreated, mediaJSON, []byte("RECEIVED")}
	case e.cfg.Mode == Text:
		return answer{http.StatusCreated, mediaJSON, reply}
	}
	return answer{http.StatusCreated, mediaOctets, reply}
}
