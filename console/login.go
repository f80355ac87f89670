package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// LoginLifetime is the time for which a link of [Console.NewLogin] logs in.
const LoginLifetime = 15 * time.Minute

const (
	sessionLifetime = 12 * time.Hour
	maxSessions     = 1000 // the oldest ends for a new one
	maxLogins       = 100  // unused links; the oldest becomes useless for a new one
)

// secrets has the unused log-in tokens and the open sessions. It keeps hashes, so that no look-up
// takes a time that depends on how much of a secret was guessed.
type secrets struct {
	fixed [sha256.Size]byte // of Config.Token
	has   bool              // fixed is set

	mu       sync.Mutex
	logins   map[[sha256.Size]byte]secret
	sessions map[[sha256.Size]byte]secret
}

// secret is the part of a log-in token or a session that is kept.
type secret struct {
	made     time.Time
	operator string // of a session: the name that the log-in page asked for
}

func newSecrets(token string) *secrets {
	return &secrets{
		fixed: sha256.Sum256([]byte(token)), has: token != "",
		logins: make(map[[sha256.Size]byte]secret), sessions: make(map[[sha256.Size]byte]secret),
	}
}

// addLogin returns a new token that logs in once, within LoginLifetime.
func (s *secrets) addLogin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return addSecret(s.logins, maxLogins)
}

// addSecret adds a random secret to a set of at most this size, and returns it.
func addSecret(set map[[sha256.Size]byte]secret, size int) string {
	for len(set) >= size {
		var oldest [sha256.Size]byte
		for key, kept := range set {
			if set[oldest].made.IsZero() || kept.made.Before(set[oldest].made) {
				oldest = key
			}
		}
		delete(set, oldest)
	}
	text := rand.Text() + rand.Text() // 256 random bits
	set[sha256.Sum256([]byte(text))] = secret{made: time.Now()}
	return text
}

// useUp makes a token of addLogin useless.
func (s *secrets) useUp(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.useUpLocked(sha256.Sum256([]byte(token)))
}

// useUpLocked makes a token of addLogin useless, and reports whether it was good until now.
func (s *secrets) useUpLocked(hash [sha256.Size]byte) bool {
	login, found := s.logins[hash]
	delete(s.logins, hash)
	return found && time.Since(login.made) < LoginLifetime
}

// beginSession exchanges a token for a session. A token of addLogin is used up.
func (s *secrets) beginSession(token string) (session string, ok bool) {
	hash := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.useUpLocked(hash) && (!s.has || subtle.ConstantTimeCompare(hash[:], s.fixed[:]) != 1) {
		return "", false
	}
	return addSecret(s.sessions, maxSessions), true
}

func (s *secrets) hasSession(session string) bool {
	hash := sha256.Sum256([]byte(session))
	s.mu.Lock()
	defer s.mu.Unlock()
	begun, found := s.sessions[hash]
	if found && time.Since(begun.made) >= sessionLifetime {
		delete(s.sessions, hash)
		return false
	}
	return found
}

// nameSession keeps the name of a session's operator.
func (s *secrets) nameSession(session, operator string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := sha256.Sum256([]byte(session))
	if begun, found := s.sessions[hash]; found {
		begun.operator = operator
		s.sessions[hash] = begun
	}
}

// hasLogin reports whether a token of addLogin is still good.
func (s *secrets) hasLogin(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	login, found := s.logins[sha256.Sum256([]byte(token))]
	return found && time.Since(login.made) < LoginLifetime
}

// findOperator returns the name of a session's operator; "" without a session.
func (s *secrets) findOperator(session string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[sha256.Sum256([]byte(session))].operator
}

func (s *secrets) endSession(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sha256.Sum256([]byte(session)))
}

// cookieName is the name of the session's cookie. Browsers ignore the port of a cookie, so the
// name has it: two consoles on one machine do not log each other out.
func cookieName(r *http.Request) string {
	if a, isTCP := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); isTCP {
		return "peerledger_console_" + strconv.Itoa(a.Port)
	}
	return "peerledger_console_local"
}

// newCookie returns the session's cookie. Without a Path, a browser sends it to the folder of the
// log-in page, which is the console's own path behind any prefix.
func (c *Console) newCookie(r *http.Request, session string) *http.Cookie {
	cookie := &http.Cookie{
		Name: cookieName(r), Value: session, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || c.public.Scheme == "https", MaxAge: int(sessionLifetime.Seconds()),
	}
	if session == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// NewLogin returns the path of a new log-in page, relative to the console's own path, as in
// "login?token=…". The link logs in one browser, once, within [LoginLifetime]. NewLogin may be called
// concurrently; of the unused links, the newest 100 work.
func (c *Console) NewLogin() string { return "login?token=" + c.secrets.addLogin() }

// loginView is the log-in page.
type loginView struct {
	Token    string
	Refused  bool
	Lifetime string // of a link
	AsksName bool   // the journal needs the operator's name
	Operator string // the name that was typed
	BadName  string // why the name was refused
}

func (c *Console) newLoginView() loginView {
	return loginView{Lifetime: strconv.Itoa(int(LoginLifetime.Minutes())) + " minutes", AsksName: c.cfg.asksForName()}
}

// showLogin shows the form that posts the token. To a stranger, opening the link uses nothing up, so a
// program that fetches links ahead does not spoil it, and a log-in is a post that checkOrigin has passed. A
// browser that is logged in already uses the link up: it stays in the browser's history.
func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if c.secrets.hasSession(sessionOf(r)) {
		c.secrets.useUp(token)
		redirect(w, "./")
		return
	}
	v := c.newLoginView()
	v.Token = token
	c.render(w, http.StatusOK, "login", v)
}

func (c *Console) logIn(w http.ResponseWriter, r *http.Request) {
	operator := ""
	if c.cfg.asksForName() {
		var err error
		if operator, err = cleanOperator(r.PostFormValue("operator")); err != nil { // before the token is used up
			v := c.newLoginView()
			v.Operator, v.BadName = r.PostFormValue("operator"), err.Error()
			if token := r.PostFormValue("token"); c.secrets.hasLogin(token) { // no other secret is sent back
				v.Token = token
			}
			c.render(w, http.StatusUnprocessableEntity, "login", v)
			return
		}
	}
	session, ok := c.secrets.beginSession(r.PostFormValue("token"))
	if !ok {
		v := c.newLoginView()
		v.Operator = operator
		v.Refused = true
		c.render(w, http.StatusForbidden, "login", v)
		return
	}
	c.secrets.nameSession(session, operator)
	http.SetCookie(w, c.newCookie(r, session))
	redirect(w, "./")
}

func (c *Console) logOut(w http.ResponseWriter, r *http.Request) {
	c.secrets.endSession(sessionOf(r))
	http.SetCookie(w, c.newCookie(r, ""))
	redirect(w, "login")
}

// redirect sends the browser to a page relative to the present one. http.Redirect would make an
// absolute path, and lose the prefix under which the console is mounted.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
