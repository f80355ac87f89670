package rfc0038

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The last segments of paths. Old drafts have the singular.
const (
	verbSettlements = "settlements"
	verbSettlement  = "settlement"
	verbMessages    = "messages"
)

// splitPath returns the segments of a path that are not empty: real programs double slashes and append them.
func splitPath(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(segment string) bool { return segment == "" })
}

// parsePath returns the account's id and the last segment of a path, as escaped on the wire. Some engines do not
// escape a slash in an id, so an id may be several segments.
func (s *Server) parsePath(path string) (id, verb string, found bool) {
	segments := splitPath(path)
	if len(segments) < len(s.prefix)+3 || !slices.EqualFunc(segments[:len(s.prefix)], s.prefix, isEscapeOf) {
		return "", "", false
	}
	segments = segments[len(s.prefix):]
	verb = segments[len(segments)-1]
	id, err := url.PathUnescape(strings.Join(segments[1:len(segments)-1], "/"))
	known := verb == verbSettlements || verb == verbSettlement || verb == verbMessages
	return id, verb, known && segments[0] == "accounts" && err == nil
}

// isEscapeOf reports whether a segment on the wire is a text.
func isEscapeOf(segment, text string) bool {
	got, err := url.PathUnescape(segment)
	return err == nil && got == text
}

// isAuthenticated compares hashes of equal length, so that the time tells nothing about a token.
func (s *Server) isAuthenticated(r *http.Request) bool {
	if len(s.tokens) == 0 {
		return true
	}
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	matches := 0
	for i := range s.tokens {
		matches |= subtle.ConstantTimeCompare(s.tokens[i][:], sum[:])
	}
	return matches == 1 && strings.EqualFold(scheme, "Bearer")
}

// readBody reads a body of up to limit bytes, within the ReadTimeout of the [http.Server], or else of the configuration.
// It refuses a larger body (ok is false), and leaves a request whose body does not come without an answer.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, ok bool) {
	const tooLarge = "the body is too large"
	if r.ContentLength > limit {
		s.refuse(w, http.StatusRequestEntityTooLarge, tooLarge)
		return nil, false
	}
	if server, is := r.Context().Value(http.ServerContextKey).(*http.Server); is && server.ReadTimeout <= 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout)) // not every ResponseWriter can
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		s.refuse(w, http.StatusRequestEntityTooLarge, tooLarge)
		return nil, false
	case err != nil:
		s.counts.unread.Add(1)
		closeUnanswered()
	}
	return body, true
}

// isJSON reports whether a Content-Type is JSON, with any parameters, or missing.
func isJSON(r *http.Request) bool {
	values := r.Header.Values("Content-Type")
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(values[0])
	return len(values) == 1 && mediaType == "application/json" && (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter))
}
