package fapi

import (
	"net/http"
	"net/url"

	"github.com/waryauth/wary/authz"
)

// secure sets the headers that every answer has.
func secure(h http.Header) {
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// Page sets the headers of a page that people see. redirect is the redirect URI that
// a form on it may lead to, or "": browsers apply form-action to the redirect that
// follows a POST, so its origin must be named.
func Page(h http.Header, redirect string) {
	secure(h)
	action := "'self'"
	if u, err := url.Parse(redirect); err == nil && u.Host != "" {
		action += " " + u.Scheme + "://" + u.Host
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action "+action+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// errorPage shows a person what went wrong.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, code authz.ErrorCode) {
	Page(w.Header(), "")
	if s.o.ErrorPage != nil {
		s.o.ErrorPage(w, r, status, string(code))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("This request cannot be completed. Please go back to the application and start again. (" + string(code) + ")\n"))
}
