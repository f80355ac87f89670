package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/operatorlog"
)

// Console serves the pages. Make it with [New]. Its methods may be called concurrently.
type Console struct {
	cfg     Config
	public  *url.URL // Config.PublicURL; empty without one
	guard   *guard
	secrets *secrets
	pages   *template.Template
	routes  map[string]route
	reader  *reader
	details *details
	pasts   *shared[pastKey, past]
	streams chan struct{} // one element for each open stream
	reads   chan struct{} // one element for each request that reads the ledger
	acting  chan struct{} // one element for each change at work
	actTime time.Duration // the time that a change may take

	journalBytes int64 // the most bytes of the journal that one page reads

	actions map[string]*action // by path; empty with Allow View
	acts    *acts
	journal *operatorlog.Log   // nil with Allow View
	actor   *template.Template // the pages of users who may act

	downloads chan struct{} // one element for each running download
	uploads   chan struct{} // one element for each statement being compared

	counters    *counters
	orderErrors *orderErrors
	examiner    *examiner
	names       *names

	ctx     context.Context //nolint:containedctx // ends with Close, as do the reads and streams of requests
	cancel  context.CancelFunc
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // the reader, and requests that read the ledger
}

// maxReads is the number of requests that may read the ledger at once. More requests wait.
const maxReads = 4

// ErrClosed is returned for reads of the ledger after [Console.Close].
var ErrClosed = errors.New("console: closed")

// New makes a Console and starts its reader, which sends nothing before a page asks. The caller
// closes the Console before the ledger. New returns the errors of [Config.Validate]. With [Act] it returns
// an error too if the journal cannot be written.
func New(cfg Config) (*Console, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	public, err := parsePublicURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	g, err := newGuard(cfg)
	if err != nil {
		return nil, err
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	actor, err := pages.Clone()
	if err != nil {
		return nil, err
	}
	pages.Funcs(modeFuncs(&cfg, false))
	actor.Funcs(modeFuncs(&cfg, true))
	c := &Console{
		cfg: cfg, public: public, guard: g, secrets: newSecrets(cfg.Token), pages: pages,
		streams: make(chan struct{}, cfg.MaxStreams), reads: make(chan struct{}, maxReads),
		downloads: make(chan struct{}, maxDownloads), uploads: make(chan struct{}, maxUploads),
		acting: make(chan struct{}, maxActing), actTime: max(actTime, cfg.Timeout), journalBytes: journalBytes, actions: newActions(&cfg), acts: newActs(), actor: actor,
		counters: newCounters(cfg.Allow), orderErrors: &orderErrors{}, examiner: &examiner{examine: cfg.Health}, names: &names{book: cfg.Book, peers: cfg.Peers},
	}
	if cfg.Allow == Act {
		if c.journal, err = operatorlog.Open(cfg.JournalFile); err != nil {
			return nil, fmt.Errorf("console: JournalFile: %w", err)
		}
	}
	looker := &looker{cfg: cfg, inArrears: make(map[accounts.PeerAccount]time.Time), orderErrors: c.orderErrors}
	c.reader = newReader(cfg, c.countFailures(looker.takeLook), looker.addUpBooks)
	c.details = newShared[accounts.PeerAccount, detail](cfg.Interval)
	c.pasts = newShared[pastKey, past](max(cfg.Interval, pastInterval))
	c.routes = c.newRoutes()
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // Close ends it
	c.running.Go(func() { c.reader.run(c.ctx) })
	return c, nil
}

// Close ends the reader, the streams and the reads of the ledger, and waits for them and for changes at work, whose
// contexts end: the journal has their outcomes, which may be unknown. Pages asked
// for afterwards show the last figures as old. A second Close waits in the same way. An
// http.Server is shut down after Close: a stream keeps its connection busy.
func (c *Console) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
	if c.journal != nil {
		_ = c.journal.Close() // it never fails
	}
}

// readLedger calls read with a context that ends with the request, with the Console, and after limit. At
// most maxReads calls run at once.
func (c *Console) readLedger(ctx context.Context, limit time.Duration, read func(context.Context) error) error {
	return c.work(ctx, limit, c.reads, read)
}

// work calls do with a context that ends with ctx, with the Console, and after limit. It waits for a slot. An error
// of work itself means that do was not called.
func (c *Console) work(ctx context.Context, limit time.Duration, slots chan struct{}, do func(context.Context) error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.running.Add(1)
	c.mu.Unlock()
	defer c.running.Done()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return do(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// The bounds of a request.
const (
	maxBody  = 4 << 10
	maxQuery = 4 << 10
	bodyTime = 10 * time.Second // to send a body
)

// route is a path of the console.
type route struct {
	maxBody   int64 // of a post; 0 is maxBody
	get, post http.HandlerFunc
	public    bool // needs no session
	page      bool // without a session, leads to the log-in page
	act       bool // only for users who may act
}

func (c *Console) newRoutes() map[string]route {
	routes := map[string]route{
		"/":       {get: c.showOverview, page: true},
		"/login":  {get: c.showLogin, post: c.logIn, public: true},
		"/logout": {post: c.logOut, public: true},
		"/events": {get: c.streamLooks},
	}
	for name, show := range map[string]func(http.ResponseWriter, *http.Request, format){
		"/peers": c.showPeers, "/peer": c.showPeer, "/orders": c.showOrders, "/totals": c.showTotals,
		"/trial": c.showTrial, "/statement": c.showStatement, "/holds": c.showHolds,
		"/find": c.showFind, "/history": c.showHistory, "/alerts": c.showAlerts, "/health": c.showHealth,
	} {
		routes[name] = route{get: func(w http.ResponseWriter, r *http.Request) { show(w, r, formatHTML) }, page: true}
		routes[name+".csv"] = route{get: c.newDownload(show, formatCSV)}
		routes[name+".json"] = route{get: c.newDownload(show, formatJSON)}
	}
	routes["/compare"] = route{get: c.showCompare, post: func(w http.ResponseWriter, r *http.Request) { c.compare(w, r, formatHTML) }, page: true, maxBody: maxUploadBody}
	for name, f := range map[string]format{"/compare.csv": formatCSV, "/compare.json": formatJSON} {
		routes[name] = route{post: c.newDownload(c.compare, f), maxBody: maxUploadBody}
	}
	c.addActRoutes(routes)
	for name, kind := range assetTypes {
		routes["/"+name] = route{get: func(w http.ResponseWriter, _ *http.Request) { sendAsset(w, name, kind) }, public: true}
	}
	return routes
}

// ServeHTTP answers a request. The path is relative to the console: mount it with http.StripPrefix
// under a pattern that ends with a slash.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	counted := &statusWriter{ResponseWriter: w}
	defer c.counters.countAnswer(counted)
	c.serveRequest(counted, r)
}

func (c *Console) serveRequest(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	limitAnswer(w, answerTime)
	limitBody(w, r)
	if err := errors.Join(c.guard.checkHost(r), c.guard.checkOrigin(r)); err != nil {
		c.fail(w, http.StatusForbidden, err)
		return
	}
	found, exists := c.routes[r.URL.Path]
	handler := found.get
	if r.Method == http.MethodPost {
		handler = found.post
	}
	switch {
	case !exists:
		c.fail(w, http.StatusNotFound, errors.New("there is no such page"))
	case handler == nil || r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", allowed(found))
		c.fail(w, http.StatusMethodNotAllowed, errors.New("the page does not take "+r.Method))
	case len(r.URL.RawQuery) > maxQuery:
		c.fail(w, http.StatusRequestURITooLong, errors.New("the query of the address is too long"))
	case !found.public && !c.secrets.hasSession(sessionOf(r)):
		if found.page {
			redirect(w, "login")
			return
		}
		c.fail(w, http.StatusUnauthorized, errors.New("log in first, with the link that the console printed"))
	default:
		r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(found.maxBody, maxBody))
		c.serveUser(w, r, found, handler)
	}
}

// serveUser calls the handler of a route, with an actorWriter if the user may act.
func (c *Console) serveUser(w http.ResponseWriter, r *http.Request, found route, handler http.HandlerFunc) {
	if c.cfg.Allow == Act && !found.public {
		operator, err := c.findOperator(r)
		switch {
		case err == nil:
			w = &actorWriter{w, operator}
		case found.act:
			c.fail(w, http.StatusForbidden, err)
			return
		}
	}
	handler(w, r)
}

func allowed(r route) string {
	switch {
	case r.get == nil:
		return "POST"
	case r.post == nil:
		return "GET, HEAD"
	default:
		return "GET, HEAD, POST"
	}
}
