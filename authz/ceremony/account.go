package ceremony

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/waryauth/wary/internal/jose"
)

// MaxAccountsBytes bounds a document of accounts.
const MaxAccountsBytes = 16 << 20

// account is one person who can log in here.
type account struct {
	name     string // as it is typed, in lower case
	subject  string // the sub of tokens: opaque, never used again, no client's id
	password passwordHash
	totp     string         // sealed secret; "" where the person has no app
	claims   map[string]any // identity claims (OpenID Connect Core, section 5.1)
	disabled bool
}

// stamp changes with the password: a login session of another stamp is over.
func (a *account) stamp() string { return jose.Digest(a.password.String()) }

// Accounts are the people who can log in. It is immutable.
type Accounts struct {
	byName    map[string]*account
	bySubject map[string]*account
	costs     []cost // of all accounts
}

// accountDocument is one account as it is configured.
type accountDocument struct {
	Name     string         `yaml:"name"`
	Subject  string         `yaml:"subject"`
	Password string         `yaml:"password"`
	TOTP     string         `yaml:"totp,omitempty"`
	Claims   map[string]any `yaml:"claims,omitempty"`
	Disabled bool           `yaml:"disabled,omitempty"`
}

// ParseAccounts reads a document of accounts (YAML, strict) and checks all of it. The
// error joins every defect, each with the account's name or place.
func ParseAccounts(text []byte) (*Accounts, error) {
	if len(text) > MaxAccountsBytes {
		return nil, fmt.Errorf("accounts: %d bytes, the greatest is %d", len(text), MaxAccountsBytes)
	}
	var d struct {
		Accounts []accountDocument `yaml:"accounts"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("accounts: %s", yaml.FormatError(err, false, false)) // without the source: it holds hashes
	}
	out := &Accounts{byName: make(map[string]*account, len(d.Accounts)), bySubject: make(map[string]*account, len(d.Accounts))}
	var defects []error
	for i := range d.Accounts {
		fail := func(format string, args ...any) {
			defects = append(defects, fmt.Errorf("account %d (%q): %s", i+1, d.Accounts[i].Name, fmt.Sprintf(format, args...)))
		}
		a := d.Accounts[i].account(fail)
		if out.byName[a.name] != nil {
			fail("name: stands twice")
		}
		if out.bySubject[a.subject] != nil {
			fail("subject: stands twice")
		}
		out.byName[a.name], out.bySubject[a.subject] = a, a
		out.costs = append(out.costs, a.password.cost)
	}
	if len(defects) > 0 {
		return nil, errors.Join(defects...)
	}
	return out, nil
}

func (d *accountDocument) account(fail func(format string, args ...any)) *account {
	a := &account{name: d.Name, subject: d.Subject, totp: d.TOTP, claims: d.Claims, disabled: d.Disabled}
	if !isName(d.Name) {
		fail("name: must be 1 to %d of a-z, 0-9 and . _ @ + -", maxName)
	}
	if !isSubject(d.Subject) {
		fail("subject: must be %q and 26 characters of a-z and 2-7", subjectPrefix)
	}
	var err error
	if a.password, err = parseHash(d.Password); err != nil {
		fail("password: %v", err)
	}
	if d.TOTP != "" && !isSealed(d.TOTP) {
		fail("totp: is no sealed secret")
	}
	for name, value := range d.Claims {
		if !isClaim(value) || reserved(name) {
			fail("claims: %q is a claim of the token's own, or neither text, number, boolean nor an address", name)
		}
	}
	return a
}

// reserved reports whether a claim is not a person's to have: those that a token says
// of itself.
func reserved(name string) bool {
	switch name {
	case "", "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "acr", "amr", "azp", "auth_time", "at_hash", "c_hash", "s_hash", "sid", "cnf",
		"client_id", "scope", "authorization_details", "active", "events":
		return true
	}
	return len(name) > 64
}

// isClaim reports whether a value may stand in a claim: a scalar, or, as the address
// claim has it, an object of scalars.
func isClaim(value any) bool {
	switch v := value.(type) {
	case string, bool, int64, uint64, float64:
		return true
	case map[string]any:
		for _, inner := range v {
			if _, deeper := inner.(map[string]any); deeper || !isClaim(inner) {
				return false
			}
		}
		return true
	}
	return false
}

const maxName = 64

// isName reports whether a text is an account's name. There is one way to write each,
// so that no two look alike.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@+-", r))
	})
}

// typedName returns the account's name that a person meant by what they typed.
func typedName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// subjectPrefix begins every subject. Subjects are made here and by chance, clients
// are named by people: neither passes for the other (RFC 9700, section 4.15).
const subjectPrefix = "p-"

func isSubject(s string) bool {
	tail, ok := strings.CutPrefix(s, subjectPrefix)
	return ok && len(tail) == 26 && !strings.ContainsFunc(tail, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '2' && r <= '7') })
}

func subjectOf(random []byte) string {
	return subjectPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:16]))
}

// entry is what a typed name leads to, whether an account has it or not. Making one
// takes the same time for both.
type entry struct {
	account *account // nil where nobody has the name
	subject string   // the account's, or one that looks like it and is always the same for the name
	hash    passwordHash
}

// find returns the entry of a typed name. Of a name that nobody has, the hash costs
// what that of some account costs, always the same one: where accounts have hashes of
// several costs, the cost of a check tells nothing.
func (a *Accounts) find(typed string, key []byte) entry {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(typedName(typed)))
	sum := mac.Sum(nil)
	decoy := entry{subject: subjectOf(sum[:16]), hash: passwordHash{cost: costOfNew(), salt: sum[:saltBytes], sum: sum}}
	if len(a.costs) > 0 {
		decoy.hash.cost = a.costs[binary.BigEndian.Uint64(sum[24:])%uint64(len(a.costs))]
	}
	if known := a.byName[typedName(typed)]; known != nil {
		return entry{known, known.subject, known.password}
	}
	return decoy
}

// check refuses accounts whose app's secret cannot be opened: they would be told only
// when they need it.
func (a *Accounts) check(seal cipher.AEAD) error {
	var defects []error
	for _, known := range a.byName {
		if known.totp == "" {
			continue
		}
		if _, err := unseal(seal, known); err != nil {
			defects = append(defects, fmt.Errorf("account %q: totp: %w", known.name, err))
		}
	}
	return errors.Join(defects...)
}

// Claims returns the identity claims of a subject; sub is not among them.
func (a *Accounts) Claims(_ context.Context, subject string) (map[string]any, error) {
	if known := a.bySubject[subject]; known != nil {
		return maps.Clone(known.claims), nil
	}
	return nil, nil
}

// ClaimNames returns the names of the claims that any account has, sorted.
func (a *Accounts) ClaimNames() []string {
	names := map[string]bool{}
	for _, known := range a.byName {
		for name := range known.claims {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// NewAccount returns the row of a new account for the document of accounts. With an
// app, it also returns the otpauth URL that the person's authenticator app is set up
// with; issuer names this server in it, and the secret is sealed in the row.
func NewAccount(name, password, issuer string, secret [32]byte, app bool) (row, url string, err error) {
	if !isName(name) {
		return "", "", fmt.Errorf("new account: the name must be 1 to %d of a-z, 0-9 and . _ @ + -", maxName)
	}
	hash, err := newHash(password)
	if err != nil {
		return "", "", fmt.Errorf("new account: %w", err)
	}
	random := make([]byte, 16)
	rand.Read(random) // never fails (crypto/rand, Go 1.24)
	d := accountDocument{Name: name, Subject: subjectOf(random), Password: hash.String()}
	if app {
		seal, err := newSeal(secret)
		if err != nil {
			return "", "", fmt.Errorf("new account: %w", err)
		}
		if d.TOTP, url, err = newTOTP(seal, issuer, name, d.Subject); err != nil {
			return "", "", fmt.Errorf("new account: %w", err)
		}
	}
	text, err := yaml.Marshal([]accountDocument{d})
	if err != nil {
		return "", "", fmt.Errorf("new account: %w", err)
	}
	return string(text), url, nil
}
