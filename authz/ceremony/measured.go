package ceremony

import (
	"net/http"
	"strings"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/signals"
)

// agreeCookie says that the person agreed to be measured in this browser. It is no
// secret and names nobody.
const agreeCookie = "__Host-wary-measure"

// agreed reports whether the person of a browser agreed to be measured.
func (s *Server) agreed(r *http.Request) bool {
	c, err := r.Cookie(agreeCookie)
	return s.o.Collector && err == nil && c.Value == "yes"
}

// agree remembers whether the person agreed, or no longer does.
func (s *Server) agree(f *submission) {
	c := &http.Cookie{Name: agreeCookie, Value: "yes", Path: "/", MaxAge: 180 * 24 * 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch yes := s.o.Collector && f.form["measure"] == "yes"; {
	case yes == s.agreed(f.r):
		return
	case !yes:
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(f.w, c)
}

// origin returns where a form came from, and, of who agreed, what the page measured.
func (s *Server) origin(f *submission) authz.Origin {
	o := s.o.Origin(f.r)
	text := f.form[measuredField]
	agreed := s.agreed(f.r)
	if f.in.Person.Subject == "" { // the page that asks
		agreed = s.o.Collector && f.form["measure"] == "yes"
	}
	if !agreed || text == "" {
		return o
	}
	at, err := measured(text)
	if err != nil {
		checked("collector", "refused")
		return o
	}
	checked("collector", "taken")
	o.Device, o.Behaviour = at.Device, at.Behaviour
	return o
}

// measured reads what a page measured, a stranger's text, as strictly as the score API
// reads it. Of a device only a server can say which it is, and how it holds its keys:
// whoever tells that lies, and all of it is refused.
func measured(text string) (*signals.Attempt, error) {
	rest, ok := strings.CutPrefix(text, "{")
	if !ok || len(text) > maxLongField {
		return nil, errForm
	}
	at := &signals.Attempt{}
	var d scoreapi.Decoder
	if p := d.Attempt(at, []byte(measuredPrefix+rest)); p != nil {
		return nil, errForm
	}
	told := &at.Device
	if d.Unknown() > 0 || told.ID != "" || told.Fingerprint != "" || told.KeyBound.Set || told.Attested.Set {
		return nil, errForm
	}
	return at, nil
}

// measuredPrefix is what else an attempt must say; a text that says it too is refused,
// for saying it twice.
const measuredPrefix = `{"attempt_id":"measured","action":"login","subject":"measured","network":{"ip":"192.0.2.1"},`

// measuredField is the field of a form that carries what was measured.
const measuredField = "wary"
