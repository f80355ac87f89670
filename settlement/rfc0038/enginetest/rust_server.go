package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// ServeHTTP answers engines.
func (c *RustConnector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, kind := parsePath(r.URL)
	if kind != Settle && kind != Message {
		answerProblem(http.StatusNotFound, "Not Found").send(w)
		return
	}
	if r.Method != http.MethodPost {
		answerProblem(http.StatusMethodNotAllowed, "Method Not Allowed").send(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if kind == Message {
		c.relay(r.Context(), id, body).sendUntyped(w)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case key == "":
		panic(http.ErrAbortHandler)
	case media != "" && media != mediaJSON:
		answer{http.StatusUnsupportedMediaType, mediaText, []byte("Unsupported Media Type")}.send(w)
	default:
		c.credit(id, key, body).sendUntyped(w)
	}
}

// sendUntyped sends an answer without a media type if it has none.
func (a answer) sendUntyped(w http.ResponseWriter) {
	if a.media == "" {
		w.Header()["Content-Type"] = nil // or net/http would guess one
	}
	a.send(w)
}

func answerProblem(status int, title string) answer {
	return answer{status, mediaProblem, fmt.Appendf(nil, `{"type":"about:blank","title":%q,"status":%d}`, title, status)}
}

// credit books a report. The key is used up by every outcome but a body that cannot be read.
func (c *RustConnector) credit(id, key string, body []byte) answer {
	q, err := rfc0038.ParseQuantity(body)
	if err != nil {
		return answer{http.StatusBadRequest, mediaText, []byte(err.Error())}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[key] {
		return answerProblem(http.StatusConflict, "Store idempotency error")
	}
	c.keys[key] = true
	a := c.accounts[id]
	if a == nil {
		return answerProblem(http.StatusNotFound, "Account not found")
	}
	units, rest := addQuantities(q, a.rest).Split(c.cfg.Scale)
	a.credited.Add(a.credited, units)
	a.rest = rest
	return answer{http.StatusCreated, "", []byte("RECEIVED")}
}

// relay carries a message of the engine to the peer.
func (c *RustConnector) relay(ctx context.Context, id string, message []byte) answer {
	c.mu.Lock()
	known := c.accounts[id] != nil
	c.mu.Unlock()
	switch {
	case !known:
		return answerProblem(http.StatusNotFound, "Account not found")
	case c.cfg.Message == nil:
		return answerProblem(http.StatusBadGateway, "Bad Gateway")
	}
	reply, err := c.cfg.Message(ctx, id, message)
	if err != nil {
		return answerProblem(http.StatusBadGateway, "Bad Gateway")
	}
	return answer{http.StatusCreated, "", reply}
}

// DeliverMessage gives a message of the peer's engine to the engine, and returns the engine's answer.
// It is the Message of the peer's connector. The request is sent once, with a key.
func (c *RustConnector) DeliverMessage(ctx context.Context, id string, message []byte) ([]byte, error) {
	target := c.cfg.Engine + "/accounts/" + url.PathEscape(id) + "/messages"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	r.Header = http.Header{"Content-Type": {mediaOctets}, "Idempotency-Key": {newUUID()}, "Accept": {"*/*"}}
	response, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // the body is read
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("enginetest: the engine answered a message with %d", response.StatusCode)
	}
	return reply, err
}
