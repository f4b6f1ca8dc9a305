package exchange

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
)

// scram is SCRAM without channel binding (RFC 5802, RFC 7677): the password is
// proved and never sent, and the server proves that it knows it too.
type scram struct {
	name, user, password string
	hash                 func() hash.Hash
	nonce                func() string
}

func newScram(name, user, password string) *scram {
	s := &scram{name: name, user: user, password: password, hash: sha256.New, nonce: rand.Text}
	if name == "SCRAM-SHA-512" {
		s.hash = sha512.New
	}
	return s
}

// Name returns the mechanism's name.
func (s *scram) Name() string { return s.name }

// Start begins one login.
func (s *scram) Start(context.Context) (sasl.StateMachine, []byte, error) {
	user := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s.user)
	l := &login{scram: s, nonce: s.nonce()}
	l.first = "n=" + user + ",r=" + l.nonce
	return l, []byte("n,," + l.first), nil
}

// login is one login under way.
type login struct {
	*scram
	nonce, first string
	signature    []byte // that the server must show
	done         bool
}

// Bounds of the server's iterations: fewer make the password easy to guess (RFC
// 7677), more keep us busy.
const minIterations, maxIterations = 4096, 1 << 20

var errScram = errors.New("exchange: the broker's SCRAM message is not as RFC 5802 has it")

// Next answers a message of the server.
func (l *login) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	if l.done {
		return false, nil, errScram
	}
	if l.signature != nil {
		l.done = true
		return true, nil, l.verify(string(challenge))
	}
	response, err = l.prove(string(challenge))
	return false, response, err
}

// prove answers server-first-message.
func (l *login) prove(message string) ([]byte, error) {
	parts := strings.Split(message, ",")
	if len(parts) < 3 {
		return nil, errScram
	}
	nonce, isNonce := strings.CutPrefix(parts[0], "r=")
	salt64, isSalt := strings.CutPrefix(parts[1], "s=")
	count, isCount := strings.CutPrefix(parts[2], "i=")
	salt, err := base64.StdEncoding.DecodeString(salt64)
	iterations, bad := strconv.Atoi(count)
	switch {
	case !isNonce || !isSalt || !isCount || err != nil || bad != nil || len(salt) == 0:
		return nil, errScram
	case !strings.HasPrefix(nonce, l.nonce) || len(nonce) == len(l.nonce):
		return nil, errors.New("exchange: the broker's SCRAM nonce does not continue ours")
	case iterations < minIterations || iterations > maxIterations:
		return nil, errors.New("exchange: the broker asks for too few or too many SCRAM iterations")
	}
	salted, err := pbkdf2.Key(l.hash, l.password, salt, iterations, l.hash().Size())
	if err != nil {
		return nil, err
	}
	final := "c=biws,r=" + nonce
	whole := l.first + "," + message + "," + final
	key := l.mac(salted, "Client Key")
	stored := l.hash()
	stored.Write(key)
	proof := make([]byte, len(key))
	subtle.XORBytes(proof, key, l.mac(stored.Sum(nil), whole))
	l.signature = l.mac(l.mac(salted, "Server Key"), whole)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify checks server-final-message.
func (l *login) verify(message string) error {
	if strings.HasPrefix(message, "e=") {
		return errors.New("exchange: the broker refuses the login")
	}
	value, ok := strings.CutPrefix(message, "v=")
	value, _, _ = strings.Cut(value, ",")
	got, err := base64.StdEncoding.DecodeString(value)
	if !ok || err != nil {
		return errScram
	}
	if !hmac.Equal(got, l.signature) {
		return errors.New("exchange: the broker does not know the password")
	}
	return nil
}

func (l *login) mac(key []byte, text string) []byte {
	m := hmac.New(l.hash, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
