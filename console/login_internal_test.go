package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A stranger's visit reads nothing from the ledger.
func TestStrangersAskForNoLook(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		s.cookie = "none=x"
		for _, path := range []string{"/login", "/login?token=x", "/", "/peers", "/console.js"} {
			s.open(path)
		}
		synctest.Wait()
		state, _ := s.console.reader.current()
		require.Zero(s, state.began)
	})
}

// A link works for LoginLifetime, and the page says so.
func TestLinksExpire(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		for age, works := range map[time.Duration]bool{0: true, LoginLifetime - time.Second: true, LoginLifetime: false, 24 * time.Hour: false} {
			secret := strings.TrimPrefix(s.console.NewLogin(), "login?token=")
			time.Sleep(age) //nolint:forbidigo // virtual time
			_, ok := s.console.secrets.beginSession(secret)
			require.Equal(s, works, ok, age)
		}
		w := httptest.NewRecorder()
		s.console.showLogin(w, httptest.NewRequest(http.MethodGet, "/login?token=x", nil))
		require.Contains(s, w.Body.String(), "within 15 minutes")
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("token=x"))
		w = httptest.NewRecorder()
		s.console.logIn(w, r)
		require.Contains(s, w.Body.String(), "too old")
		require.Contains(s, w.Body.String(), "15 minutes")
	})
}

// A link that a logged-in browser has opened is in its history, and logs in no other browser.
func TestLoggedInBrowserUsesTheLinkUp(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		link := s.console.NewLogin()
		status, _ := s.open("/" + link)
		require.Equal(s, http.StatusSeeOther, status)
		_, ok := s.console.secrets.beginSession(strings.TrimPrefix(link, "login?token="))
		require.False(s, ok)
	})
}
