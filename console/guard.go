package console

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// policy is the Content-Security-Policy of every answer: the pages load their own files alone, run
// nothing inline, and are shown in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// setHeaders sets the headers of every answer.
//
// Referrer-Policy keeps paths and queries out of Referer. It must not be no-referrer: then browsers
// post with "Origin: null", and checkOrigin could not tell our own pages from others.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// guard refuses requests for foreign hosts, and posts from foreign pages.
type guard struct {
	hosts  map[string]bool // in lower case
	origin *http.CrossOriginProtection
}

func newGuard(cfg Config) (*guard, error) {
	g := &guard{hosts: map[string]bool{"localhost": true}, origin: http.NewCrossOriginProtection()}
	for _, host := range cfg.Hosts {
		g.hosts[cleanHost(host)] = true
	}
	public, err := parsePublicURL(cfg.PublicURL)
	if err != nil || public.Host == "" {
		return g, err
	}
	g.hosts[cleanHost(public.Hostname())] = true
	return g, g.origin.AddTrustedOrigin(originOf(public))
}

// originOf returns the origin of an address as browsers write it: in lower case, and without the
// port that the scheme implies.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// cleanHost writes a host name in the form of guard.hosts.
func cleanHost(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// checkHost refuses a Host header that is neither localhost, nor an IP address, nor configured. A
// page of another site can resolve its own name to this machine, but cannot change the header.
func (g *guard) checkHost(r *http.Request) error {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = cleanHost(strings.Trim(name, "[]"))
	if g.hosts[name] || net.ParseIP(name) != nil {
		return nil
	}
	return fmt.Errorf("the Host header is %q, and the console does not know that name: add it to Hosts (--host)", r.Host)
}

const setPublicURL = "set PublicURL (--public-url) to the address in the browser's address bar"

// checkOrigin refuses a post from a page of another origin. A post without Origin and without
// Sec-Fetch-Site is refused too: browsers send at least one of them, and scripts have the command.
func (g *guard) checkOrigin(r *http.Request) error {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if origin == "" && site == "" {
		return errors.New("the request has neither an Origin nor a Sec-Fetch-Site header: a proxy must pass them on, and scripts must use the peerledger command")
	}
	switch err := g.origin.Check(r); {
	case err == nil:
		return nil
	case site != "" && site != "same-origin" && site != "none":
		return fmt.Errorf("the Sec-Fetch-Site header is %q and the Origin header is %q: the form is not a page of this console; if it is, %s", site, origin, setPublicURL)
	default:
		return fmt.Errorf("the Origin header is %q, but the Host header is %q: if a proxy changed Host, %s", origin, r.Host, setPublicURL)
	}
}
