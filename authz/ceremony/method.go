package ceremony

import (
	"errors"
	"slices"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
)

// Classes name the authentication context class (acr) that each way to prove oneself
// reaches. Two may share one; the password's is weaker than the others.
type Classes struct {
	Password string // default [PasswordACR]
	Code     string // password, and a code of an app; default [PossessionACR]
	Passkey  string // default [PasskeyACR]
}

// Authentication context classes that people can reach here, where none are configured.
const (
	PasswordACR   = "urn:wary:acr:password"
	PossessionACR = "urn:wary:acr:possession" // password, and a code of an app that they hold
	PasskeyACR    = "urn:wary:acr:passkey"    // a passkey that verified its user: nothing that can be phished
)

func (c *Classes) defaults() {
	for _, d := range [...]struct {
		class *string
		def   string
	}{{&c.Password, PasswordACR}, {&c.Code, PossessionACR}, {&c.Passkey, PasskeyACR}} {
		if *d.class == "" {
			*d.class = d.def
		}
	}
}

// Ordered returns the classes, the weakest first.
func (c Classes) Ordered() []string {
	c.defaults()
	return slices.Compact([]string{c.Password, c.Code, c.Passkey})
}

// Check returns what is wrong with the classes.
func (c Classes) Check() error {
	c.defaults()
	if c.Password == c.Code || c.Password == c.Passkey {
		return errors.New("the class of the password is that of something stronger")
	}
	return nil
}

// ACRs returns the classes where none are configured, the weakest first.
func ACRs() []string { return Classes{}.Ordered() }

// Authentication methods (RFC 8176).
const (
	amrPassword = "pwd"
	amrOTP      = "otp"
	amrMultiple = "mfa"
	amrHardware = "hwk"  // a key that cannot leave its device
	amrSoftware = "swk"  // a key that a passkey provider keeps in several
	amrPresence = "user" // a test that somebody was there
)

// method is a way in which a person can prove more than they have.
type method uint8

const (
	byCode method = iota + 1
	byPasskey
	byBank // the bank's own login, asked for more
)

// brings returns what a method may add to the methods of a person's login.
func (m method) brings(held *holdings) []string {
	if m == byCode {
		return []string{amrOTP, amrMultiple}
	}
	amr := []string{amrPresence, amrMultiple}
	for _, k := range held.Passkeys {
		if !k.Copied {
			amr = append(amr, k.kind())
		}
	}
	return amr
}

// raised returns a person after a method, as it counts for what an interaction asks for.
// Of the classes that the method reaches it names the strongest that is asked for: a
// passkey answers to a challenge for possession.
func (s *Server) raised(in *authz.Interaction, m method, added []string) authz.Person {
	p := in.Person
	p.AuthTime = s.o.Now()
	p.AMR = slices.Clone(p.AMR)
	for _, amr := range added {
		if !slices.Contains(p.AMR, amr) {
			p.AMR = append(p.AMR, amr)
		}
	}
	reach := []string{s.o.Classes.Code}
	if m == byPasskey {
		reach = []string{s.o.Classes.Passkey, s.o.Classes.Code}
	}
	asked := slices.Concat(in.Request.EssentialACR, in.Request.ACRValues)
	if in.Challenge != nil {
		asked = append(asked, in.Challenge.ACRValues...)
	}
	for _, acr := range reach {
		p.ACR = acr
		if slices.Contains(asked, acr) && answers(in.Challenge, &p, p.AMR) && s.a.Satisfies(in, &p) {
			return p
		}
	}
	p.ACR = reach[0]
	return p
}

// meets reports whether a method would be all that an interaction asks for.
func (s *Server) meets(in *authz.Interaction, m method, held *holdings) bool {
	if m == byBank {
		return len(s.bank.classes(in, s.a)) > 0
	}
	amr := m.brings(held)
	p := s.raised(in, m, amr)
	return answers(in.Challenge, &p, amr) && s.a.Satisfies(in, &p)
}

// answers reports whether a challenge names a person's class, or one of some methods.
func answers(c *engine.Challenge, p *authz.Person, amr []string) bool {
	return c == nil || slices.Contains(c.ACRValues, p.ACR) || slices.ContainsFunc(c.AMR, func(want string) bool { return slices.Contains(amr, want) })
}

// proved reports whether a person did, in this interaction, what one of some methods is.
func proved(in *authz.Interaction, amr ...string) bool {
	return !in.Person.AuthTime.Before(in.Created) && slices.ContainsFunc(amr, func(m string) bool { return slices.Contains(in.Person.AMR, m) })
}
