package console

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed assets
var assets embed.FS

// assetTypes are the files that pages load, by media type.
var assetTypes = map[string]string{
	"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "stream.js": "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

func sendAsset(w http.ResponseWriter, name, kind string) {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.Error(w, "the file is missing in the program", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(content) // a browser that went away reads no error either
}

// parsePages parses the pages of a console that only shows.
func parsePages() (*template.Template, error) {
	funcs := modeFuncs(&Config{}, false)
	funcs["time"] = formatTime
	return template.New("").Funcs(funcs).ParseFS(assets, "assets/*.html")
}

// modeFuncs are the functions of pages for users who may act, or for those who only see.
func modeFuncs(cfg *Config, acting bool) template.FuncMap {
	mode := "View only: this console changes nothing."
	switch {
	case acting:
		mode = "This console changes the books: each change is written to the operator's journal first."
	case cfg.Allow == Act:
		mode = "View only: you cannot change anything here."
	}
	return template.FuncMap{
		"acting": func() bool { return acting }, "mode": func() string { return mode }, "audited": func() bool { return cfg.JournalFile != "" },
	}
}

// header is the part that all pages have.
type header struct {
	Title   string
	Nav     string // the page in the navigation
	Refresh bool   // load the page again by itself: nothing has been read yet

	At      string // of the figures; "" without figures
	Age     string
	Stale   string // why the figures are old; "" if they are not
	Since   string // since when the ledger does not answer
	ReadFor string // the time that the look took
}

// newHeader describes the age of a state.
func newHeader(title, nav string, s state) header {
	h := header{Title: title, Nav: nav}
	if s.look != nil {
		h.At, h.Age, h.ReadFor = formatTime(s.look.at), formatAge(time.Since(s.look.at)), max(s.look.took, time.Millisecond).Round(time.Millisecond).String()
	}
	if s.err != nil {
		h.Stale, h.Since = s.err.Error(), formatTime(s.failed)
	}
	return h
}

// readState returns the state for a page or a download. Without figures, or without new ones for a
// download, it answers the request itself, and the second result is false.
func (c *Console) readState(w http.ResponseWriter, r *http.Request, title, nav string, f format) (state, bool) {
	if f != formatHTML {
		return c.readForDownload(w, r, c.reader.readNew)
	}
	s := c.reader.read(r.Context(), patience)
	if s.look != nil {
		return s, true
	}
	h := newHeader(title, nav, s)
	h.Refresh = true
	w.Header().Set("Refresh", "2")
	c.render(w, http.StatusServiceUnavailable, "loading", h)
	return s, false
}

// readTrials is readState for pages with trial balances: a download has new ones.
func (c *Console) readTrials(w http.ResponseWriter, r *http.Request, title, nav string, f format) (state, bool) {
	s, ok := c.readState(w, r, title, nav, f)
	if ok && f != formatHTML {
		return c.readForDownload(w, r, c.reader.readNewTrial)
	}
	return s, ok
}

// readForDownload returns a state of the reader that is new. Otherwise it answers the request itself, and
// the second result is false.
func (c *Console) readForDownload(w http.ResponseWriter, r *http.Request, read func(context.Context) (state, error)) (state, bool) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	s, err := read(ctx)
	if err == nil {
		return s, true
	}
	if c.ctx.Err() != nil {
		err = ErrClosed
	}
	c.fail(w, http.StatusServiceUnavailable, err)
	return s, false
}

// render sends a page. It is written to memory first, so that an error leaves no half page.
func (c *Console) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	pages := c.pages
	if operatorOf(w) != "" {
		pages = c.actor
	}
	if err := pages.ExecuteTemplate(&page, name+".html", data); err != nil {
		http.Error(w, "the page cannot be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	limitAnswer(w, answerTime) // anew: reading the ledger has taken a part
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a browser that went away reads no error either
}

// failure is the page of an error.
type failure struct {
	header

	Status int
	Name   string // of the status
	Reason string
}

// fail sends an error as a page. Its text names the cause.
func (c *Console) fail(w http.ResponseWriter, status int, err error) {
	name := http.StatusText(status)
	c.render(w, status, "error", failure{header: header{Title: name}, Status: status, Name: name, Reason: err.Error()})
}
