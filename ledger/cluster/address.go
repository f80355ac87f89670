package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is the port of an address without a port, as in TigerBeetle.
const defaultPort = 3001

// address is the configured address of one replica.
type address struct {
	text string     // as configured
	host string     // a name for the resolver; "" if ip is known
	ip   netip.Addr // zero if host is set
	port uint16
}

// parseAddresses reads the addresses of all replicas. Each wrong address has its own error.
func parseAddresses(field string, texts []string) (parsed []address, errs []error) {
	if len(texts) == 0 {
		return nil, []error{&ConfigError{Field: field, Reason: "must name at least one replica"}}
	}
	if len(texts) > replicasMax {
		reason := fmt.Sprintf("names %d replicas, at most %d", len(texts), replicasMax)
		errs = append(errs, &ConfigError{Field: field, Reason: reason})
	}
	seen := make(map[string]int)
	for i, text := range texts {
		a, reason := parseAddress(text)
		if reason == "" {
			if first, isDuplicate := seen[a.canonicalText()]; isDuplicate {
				reason = fmt.Sprintf("is the same as %s[%d]", field, first)
			} else {
				seen[a.canonicalText()] = i
			}
		}
		if reason != "" {
			errs = append(errs, &ConfigError{Field: fmt.Sprintf("%s[%d]", field, i), Value: text, Reason: reason})
		}
		parsed = append(parsed, a)
	}
	return parsed, errs
}

// canonicalText returns the same text for two spellings of one address.
func (a address) canonicalText() string {
	if a.host != "" {
		return net.JoinHostPort(strings.ToLower(a.host), strconv.Itoa(int(a.port)))
	}
	return netip.AddrPortFrom(a.ip, a.port).String()
}

// parseAddress reads one address. reason is the fault of a wrong address, "" for a good one.
func parseAddress(text string) (a address, reason string) {
	a = address{text: text, port: defaultPort}
	host, port, hasPort := splitAddress(text)
	if hasPort {
		if a.port, reason = parsePort(port); reason != "" {
			return a, reason
		}
	}
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" || !strings.HasSuffix(host, "]") {
			return a, "is not an IPv6 address in brackets, without a zone"
		}
		a.ip = ip.Unmap()
		return a, ""
	}
	switch ip, err := netip.ParseAddr(host); {
	case err == nil && ip.Is4():
		a.ip = ip
		return a, ""
	case strings.Contains(host, ":"):
		return a, "has several colons: an IPv6 address must stand in brackets"
	case !isHostName(host):
		return a, "is neither an IP address nor a host name"
	}
	a.host = host
	return a, ""
}

// splitAddress splits off the port. A number alone is a port of 127.0.0.1.
func splitAddress(text string) (host, port string, hasPort bool) {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		return "127.0.0.1", text, true
	}
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 || strings.HasSuffix(text, "]") || strings.IndexByte(text, ':') < colon && text[0] != '[' {
		return text, "", false
	}
	return text[:colon], text[colon+1:], true
}

func parsePort(text string) (port uint16, reason string) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Sprintf("has the port %q, which is not a number from 1 to 65535", text)
	}
	return uint16(n), ""
}

// isHostName reports whether the text may be a host name: letters, digits, hyphens and underscores
// in labels between dots. A number is no host name, because some resolvers take it for an address.
func isHostName(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if strings.Trim(text, "0123456789.") == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, letters+"0123456789-_") != "" {
			return false
		}
	}
	return true
}
