package models

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SignatureFile is the name, in a model's folder, of who vouches for the model.
const SignatureFile = "signature.json"

// signedPrefix stands before the digest in what is signed, so that no signature
// made for anything else is one of a model.
const signedPrefix = "wary model signature v1\x00"

// maxSmallBytes bounds the small files of a registry.
const maxSmallBytes = 4096

// PublicKey is the public half of an Ed25519 key (RFC 8032) that signs models.
type PublicKey [ed25519.PublicKeySize]byte

// keyPrefix begins the text of a public key.
const keyPrefix = "ed25519:"

func (k PublicKey) String() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// ParsePublicKey reads what String wrote.
func ParsePublicKey(text string) (k PublicKey, err error) {
	digits, ok := strings.CutPrefix(text, keyPrefix)
	if !ok {
		return k, fmt.Errorf("public key %.60q does not begin with %s", text, keyPrefix)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("public key %.60q is not %s and %d bytes in base64url", text, keyPrefix, len(k))
	}
	return PublicKey(raw), nil
}

// Signer is a private key that signs models.
type Signer struct{ private ed25519.PrivateKey }

// NewSigner makes a key.
func NewSigner() (Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return Signer{private}, err
}

// pemType is that of a PKCS #8 key (RFC 7468, section 10).
const pemType = "PRIVATE KEY"

// ParseSigner reads an unencrypted Ed25519 key in PKCS #8 and PEM, as PEM and
// `openssl genpkey -algorithm ed25519` write it. No error shows a byte of it.
func ParseSigner(text []byte) (Signer, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(bytes.TrimSpace(rest)) > 0 {
		return Signer{}, errors.New("not one unencrypted private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Signer{}, errors.New("not a private key in PKCS #8")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return Signer{}, errors.New("not an Ed25519 key")
	}
	return Signer{private}, nil
}

// PEM returns the private key as text: keep it from everyone.
func (s Signer) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Public returns the half that others may know.
func (s Signer) Public() PublicKey { return PublicKey(s.private.Public().(ed25519.PublicKey)) }

// SignDir signs the model in a folder and returns it. Only a model that loads is signed:
// a signature says that somebody looked at it.
func (s Signer) SignDir(dir string) (*Model, error) {
	m, err := LoadDir(dir)
	if err != nil {
		return nil, err
	}
	return m, replaceFile(filepath.Join(dir, SignatureFile), s.Sign(m.Digest()))
}

// Sign returns the content of SignatureFile for a digest.
func (s Signer) Sign(digest string) []byte {
	text, err := json.Marshal(signature{s.Public().String(), ed25519.Sign(s.private, signed(digest))})
	if err != nil {
		panic(err) // two texts are JSON
	}
	return append(text, '\n')
}

// signed returns the bytes that a signature of a digest is over.
func signed(digest string) []byte { return []byte(signedPrefix + digest) }

// signature is the content of SignatureFile.
type signature struct {
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// ErrUnsigned is the error of a model that nobody vouches for.
var ErrUnsigned = errors.New("the model is not signed")

// signerOf returns whose signature of the digest lies in a folder: ErrUnsigned
// where there is none, another error where it is none of this digest.
func signerOf(dir, digest string) (k PublicKey, err error) {
	text, err := readFile(filepath.Join(dir, SignatureFile), maxSmallBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("%w: it has no %s", ErrUnsigned, SignatureFile)
	}
	if err != nil {
		return k, err
	}
	var s signature
	if err := decodeStrict(text, &s); err != nil {
		return k, fmt.Errorf("%s: %w", SignatureFile, err)
	}
	if k, err = ParsePublicKey(s.Key); err != nil {
		return k, fmt.Errorf("%s: %w", SignatureFile, err)
	}
	if !ed25519.Verify(k[:], signed(digest), s.Signature) {
		return k, fmt.Errorf("%s: it is no signature of this model by %s", SignatureFile, k)
	}
	return k, nil
}

// trust demands a signature by one of the keys; without keys it demands nothing.
func trust(dir, digest string, keys []PublicKey) error {
	if len(keys) == 0 {
		return nil
	}
	k, err := signerOf(dir, digest)
	if err == nil && !slices.Contains(keys, k) {
		err = fmt.Errorf("it is signed by %s, which is not among the trusted keys", k)
	}
	return err
}

// LoadTrusted loads the model in a folder as LoadDir does. Where there are keys, one
// of them must have signed it: of other bytes nothing is parsed.
func LoadTrusted(dir string, keys []PublicKey) (*Model, error) {
	return loadTrusted(dir, "", keys)
}

// loadTrusted also demands the digest, unless it is "".
func loadTrusted(dir, want string, keys []PublicKey) (*Model, error) {
	text, card, err := readDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	got := digest(text, card)
	if want != "" && got != want {
		return nil, fmt.Errorf("load model: the files of %s are not what its name says: they have digest %s", dir, got)
	}
	if err := trust(dir, got, keys); err != nil {
		return nil, fmt.Errorf("load model: %s: %w", dir, err)
	}
	return Load(text, card)
}

// replaceFile writes a file whole or not at all, over the one there may be.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then, unless something failed
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
