package authz

import (
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
)

func TestOptionsAreChecked(t *testing.T) {
	c := newClock()
	s := newStore(t, c)
	good := Options{Issuer: "https://as.example", ACRs: []string{"1"}, Keys: openKeys(t, s, c), Store: s, Now: c.now,
		Score: func(*engine.Assessment, time.Time) error { return nil }}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"https URL":              func(o *Options) { o.Issuer = "http://as.example" },
		"a slash at its end":     func(o *Options) { o.Issuer = "https://as.example/" },
		"a query":                func(o *Options) { o.Issuer = "https://as.example?x" },
		"engine, store and keys": func(o *Options) { o.Score = nil },
		"context classes":        func(o *Options) { o.ACRs = nil },
		"codes live":             func(o *Options) { o.Lives.Code = 61 * time.Second },
		"access tokens live":     func(o *Options) { o.Lives.Access = 301 * time.Second },
		"request URIs live":      func(o *Options) { o.Lives.RequestURI = 59 * time.Second },
		"interactions live":      func(o *Options) { o.Lives.Interaction = 2 * time.Hour },
		"a grant lives":          func(o *Options) { o.Lives.Grant = time.Minute },
		"needs a secret":         func(o *Options) { o.SharedReplay = true },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
