package rfc0038

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// ClientConfig configures a [Client]. URL must be set, and the rest works as it is.
type ClientConfig struct {
	// URL is the engine's base URL: http or https, a host, and any path as a prefix. A slash at its end
	// does not matter. User, query and fragment are refused.
	URL string

	// TLS is used for https. Set RootCAs for a private authority, Certificates for mutual TLS. Default:
	// the system's authorities.
	TLS *tls.Config
	// BearerToken is sent as "Authorization: Bearer". Default none. Over http, anybody on the way reads
	// the token.
	BearerToken string
	// HeaderName and HeaderValue are a header of your own, for example of a gateway. Default none.
	HeaderName, HeaderValue string
	// UserAgent names us to the engine. Default "peerledger".
	UserAgent string

	// Timeout bounds a request with its answer, at least 1 s. The outcome of a settlement without an
	// answer is unknown. Some engines submit the payment to a chain before they answer. Default 30 s.
	Timeout time.Duration
	// MaxAnswer bounds the bytes read of an answer's body. The status alone decides about settlements,
	// so a longer body only spoils the answer to a message ([ErrAnswerTooLarge]). Default, and at most,
	// 32767, the data of an ILP packet: the peer would never get more.
	MaxAnswer int64
	// MaxConnections bounds the connections to the engine. Further requests wait. Default 64.
	MaxConnections int

	// Events are called for each request. Default none.
	Events ClientEvents
}

// minTimeout is the least Timeout: less cannot be meant.
const minTimeout = time.Second

// Validate reports all faults at once. The errors match [accounts.ErrInvalid] and name the field.
func (c ClientConfig) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "rfc0038 client", Field: field, Reason: reason})
		}
	}
	_, err := parseBaseURL(c.URL)
	check(err == nil, "URL", fmt.Sprint(err))
	check(c.TLS == nil || !strings.HasPrefix(c.URL, "http:"), "TLS", "is set and URL is no https")
	check(isHeaderValue(c.BearerToken), "BearerToken", "must be printable ASCII without spaces at its ends")
	check(c.HeaderName == "" || isHeaderName(c.HeaderName), "HeaderName", "must be letters, digits and dashes")
	check(!isOurHeader(c.HeaderName), "HeaderName", "is a header of the client")
	check(isHeaderValue(c.HeaderValue), "HeaderValue", "must be printable ASCII without spaces at its ends")
	check((c.HeaderName == "") == (c.HeaderValue == ""), "HeaderValue", "goes with HeaderName")
	check(isHeaderValue(c.UserAgent), "UserAgent", "must be printable ASCII without spaces at its ends")
	check(c.Timeout == 0 || c.Timeout >= minTimeout, "Timeout", fmt.Sprintf("must be at least %v", minTimeout))
	check(c.MaxAnswer >= 0 && c.MaxAnswer <= maxMessage, "MaxAnswer", fmt.Sprintf("must be 0 to %d", maxMessage))
	check(c.MaxConnections >= 0, "MaxConnections", reasonBelowZero)
	return errors.Join(errs...)
}

const reasonBelowZero = "must not be negative"

func (c ClientConfig) withDefaults() ClientConfig {
	c.UserAgent = cmp.Or(c.UserAgent, "peerledger")
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, maxMessage)
	c.MaxConnections = cmp.Or(c.MaxConnections, 64)
	c.Events = c.Events.withDefaults()
	return c
}

// parseBaseURL returns the URL without slashes at its end. The errors are reasons for a FieldError.
func parseBaseURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("is missing")
	case err != nil:
		return nil, errors.New("is no URL")
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, errors.New("must be http://HOST or https://HOST, with any path")
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("must have no user, query or fragment")
	}
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), strings.TrimRight(base.RawPath, "/")
	return base, nil
}

func isHeaderName(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

func isHeaderValue(value string) bool {
	return strings.TrimSpace(value) == value && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// isOurHeader reports whether the client or net/http writes the header.
func isOurHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Length", "Content-Type", headerKey, "Host", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "User-Agent":
		return true
	default:
		return false
	}
}
