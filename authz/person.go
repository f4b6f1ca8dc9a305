package authz

import (
	"slices"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// Person is who proved to be themselves, and how.
type Person struct {
	Subject  string    `json:"sub"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"` // RFC 8176
	AuthTime time.Time `json:"auth_time"`
	Session  string    `json:"session,omitempty"` // the ceremony's name of the login session; no secret
}

// Origin is where a request came from and what it shows of the device.
type Origin struct {
	Network   signals.NetworkPeer
	Headers   signals.Headers
	Device    signals.Device
	Behaviour signals.Behaviour
}

// Login is one check of a person's credentials.
type Login struct {
	Person         Person // of a failure only Subject: what was typed
	Known          bool   // what was typed names an account
	Result         signals.Result
	Method         signals.Method
	RecentFailures int
	Origin         Origin
}

// Possession is what a client proves to hold: a DPoP key, a certificate, or both.
type Possession struct {
	JKT string // RFC 7638 thumbprint of the key
	X5T string // RFC 8705 thumbprint of the certificate
}

// of returns the part of a possession that a client's tokens are bound to.
func (p Possession) of(c engine.Constraint) Possession {
	if c == engine.MTLSConstraint {
		return Possession{X5T: p.X5T}
	}
	return Possession{JKT: p.JKT}
}

func (p Possession) binding() signals.Binding {
	switch {
	case p.X5T != "":
		return signals.MTLS
	case p.JKT != "":
		return signals.DPoP
	}
	return signals.Unbound
}

// proves reports whether a person has proved what a challenge asks for.
func (p *Person) proves(c *engine.Challenge) bool {
	return slices.Contains(c.ACRValues, p.ACR) && p.ACR != "" ||
		slices.ContainsFunc(c.AMR, func(amr string) bool { return slices.Contains(p.AMR, amr) })
}
