package btp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/coder/websocket"
)

// ClientConfig configures a [Client].
type ClientConfig struct {
	// URL is the peer's address with our account and token there:
	// btp+ws://ACCOUNT:TOKEN@HOST:PORT/PATH, or btp+wss for TLS. The account may be empty.
	URL string
	// Handler answers the peer's packets.
	Handler Handler
	// Busy is the ILP packet that answers a packet of the peer at once while as many of its packets
	// are handled as may be. Default: such a packet gets no answer, and to the peer the outcome is
	// unknown.
	Busy []byte
	// Failed is called with the end of each link and the error of each log-in, from one goroutine.
	// Default: none.
	Failed func(error)
	// FirstPause and LongestPause bound the growing pauses between log-ins. Default: 100 ms and 30 s.
	FirstPause, LongestPause time.Duration
}

// Client keeps a link to a peer, at which it logs in.
type Client struct {
	*Peer

	cfg            ClientConfig
	address        string // of the websocket
	account, token string
	times          timeouts
	stop           context.CancelFunc
	ended          chan struct{}
}

// ErrURL is returned for a URL that is no address of a BTP peer.
var ErrURL = errors.New("btp: not an address btp+ws://ACCOUNT:TOKEN@HOST:PORT")

// NewClient starts a client. It logs in in the background: see [Peer.WaitLinked]. Close the client.
// The error matches [ErrURL].
func NewClient(cfg ClientConfig) (*Client, error) {
	address, err := url.Parse(cfg.URL)
	if err != nil { // not shown: its text has the token
		return nil, fmt.Errorf("%w: not a URL", ErrURL)
	}
	scheme, isBTP := strings.CutPrefix(address.Scheme, "btp+")
	token, hasToken := address.User.Password()
	switch {
	case !isBTP || scheme != "ws" && scheme != "wss":
		return nil, fmt.Errorf("%w: the scheme is %q", ErrURL, address.Scheme)
	case address.Host == "" || !hasToken:
		return nil, fmt.Errorf("%w: host or token is missing", ErrURL)
	}
	if cfg.FirstPause == 0 {
		cfg.FirstPause = 100 * time.Millisecond
	}
	if cfg.LongestPause == 0 {
		cfg.LongestPause = 30 * time.Second
	}
	c := &Client{Peer: newPeer(cfg.Handler, cfg.Busy), cfg: cfg, account: address.User.Username(), token: token, times: defaultTimeouts, ended: make(chan struct{})}
	address.Scheme, address.User = scheme, nil
	c.address = address.String()
	ctx, stop := context.WithCancel(context.Background()) // the client outlives its caller; Close cancels it
	c.stop = stop
	go c.keepLinked(ctx) // ends with ctx, and Close waits for it
	return c, nil
}

// Close cuts the link and waits for the handlers. Each waiting Send returns [ErrUnknown].
func (c *Client) Close() {
	c.stop()
	c.close()
	<-c.ended
}

// keepLinked logs in, serves the link until it ends, and logs in again.
func (c *Client) keepLinked(ctx context.Context) {
	defer close(c.ended)
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = c.cfg.FirstPause, c.cfg.LongestPause
	for ctx.Err() == nil {
		l, err := c.logIn(ctx)
		if err == nil {
			pauses.Reset()
			err = c.serve(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		if c.cfg.Failed != nil {
			c.cfg.Failed(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauses.NextBackOff()):
		}
	}
}

// logIn opens a websocket and sends account and token.
func (c *Client) logIn(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.times.login)
	defer cancel()
	socket, response, err := websocket.Dial(ctx, c.address, nil)
	if response != nil && response.Body != nil {
		_ = response.Body.Close() // it is empty, or tells about an error that err has
	}
	if err != nil {
		return nil, fmt.Errorf("btp: log-in: %w", err)
	}
	l := newLink(socket, c.times)
	if err := l.sendLogin(ctx, c.account, c.token); err != nil {
		l.cut()
		return nil, fmt.Errorf("btp: log-in: %w", err)
	}
	return l, nil
}

// sendLogin sends the first frame and reads its answer.
func (l *link) sendLogin(ctx context.Context, account, token string) error {
	const id = 1
	login := Frame{Type: TypeMessage, RequestID: id, SubProtocols: []SubProtocol{
		{Name: "auth"},
		{Name: "auth_username", ContentType: ContentText, Data: []byte(account)},
		{Name: "auth_token", ContentType: ContentText, Data: []byte(token)},
	}}
	frame, err := login.AppendBinary(nil)
	if err != nil {
		return err
	}
	l.write(frame)
	answer, err := l.read(ctx)
	switch {
	case err != nil:
		return err
	case answer.Type == TypeError:
		return &RefusedError{answer.Error}
	case answer.Type != TypeResponse || answer.RequestID != id:
		return fmt.Errorf("%w: no answer to the log-in, but type %d of request %d", ErrMalformed, answer.Type, answer.RequestID)
	default:
		return nil
	}
}
