package models

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newSigner(tb testing.TB) Signer {
	tb.Helper()
	s, err := NewSigner()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// brought writes a fixture's model into a folder as an operator would bring it.
func brought(tb testing.TB, version string) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	write(tb, filepath.Join(dir, TextFile), schemaText(tb, "nan"))
	write(tb, filepath.Join(dir, CardFile), schemaCard(version, `{"kind": "none"}`))
	return dir
}

func write(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// add brings a signed model into a registry and returns its digest.
func add(tb testing.TB, r *Registry, s Signer, version string) string {
	tb.Helper()
	dir := brought(tb, version)
	if _, err := s.SignDir(dir); err != nil {
		tb.Fatal(err)
	}
	m, err := r.Add(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return m.Digest()
}

func refuses(tb testing.TB, err error, want string) {
	tb.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		tb.Errorf("%v, want %s", err, want)
	}
}

func TestParseNames(t *testing.T) {
	a, b := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for text, want := range map[string]Names{
		`{}`: {}, `{"champion":"` + a + `"}`: {Champion: a}, ` { "challenger" : "` + b + "\" }\n": {Challenger: b},
		`{"challenger":"` + b + `","champion":"` + a + `"}`: {Champion: a, Challenger: b}, `{"champion":""}`: {},
		`{"before":"` + b + `","by":"anna"}`: {Before: b, By: "anna"},
	} {
		if got, err := ParseNames([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "no JSON object", "null": "no JSON object", "[]": "no JSON object", `"x"`: "no JSON object", "{": "EOF", `{"champion":"` + a: "EOF",
		`{"champion":"` + a + `"} x`: "something follows", `{"champion":"` + a + `"}{}`: "something follows",
		`{"champion":null}`: "no text", `{"champion":1}`: "no text", `{"champion":{}}`: "no text", `{"champion":["` + a + `"]}`: "no text",
		`{"Champion":"` + a + `"}`: "is unknown", `{"third":"` + a + `"}`: "unknown field", `{"champion":"` + a + `","champion":"` + b + `"}`: "twice",
		`{"champion":"` + a + `","challenger":"` + a + `"}`: "same model",
		`{"champion":"` + a[:70] + `"}`:                     "no digest", `{"champion":"` + strings.ToUpper(a) + `"}`: "no digest", `{"champion":"` + a[7:] + `"}`: "no digest",
		`{"champion":"sha256:` + strings.Repeat("/", 64) + `"}`: "no digest", `{"before":"` + a[:70] + `"}`: "no digest",
		`{"by":"` + strings.Repeat("x", 65) + `"}`: "more than 64",
	} {
		got, err := ParseNames([]byte(text))
		if got != (Names{}) {
			t.Errorf("%s: %+v", text, got)
		}
		refuses(t, err, want)
	}
}

func FuzzNames(f *testing.F) {
	for _, text := range []string{"{}", `{"champion":"sha256:` + strings.Repeat("a", 64) + `"}`, `{"a":{}}`, `{"a":"b"}{`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := ParseNames(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := ParseNames(again); err != nil || same != n {
			t.Errorf("%s reads as %+v and then as %+v, %v", text, n, same, err)
		}
	})
}

// TestSignature verifies with the library what SignDir wrote, from the definition: the
// prefix, then the digest.
func TestSignature(t *testing.T) {
	dir, s := brought(t, "v1"), newSigner(t)
	m, err := s.SignDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "signature.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Key       string
		Signature []byte
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Key != s.Public().String() {
		t.Fatalf("%s, %v", text, err)
	}
	public := s.Public()
	if !ed25519.Verify(public[:], []byte("wary model signature v1\x00"+m.Digest()), got.Signature) {
		t.Error("the signature is not of prefix and digest")
	}
	// A signature of the digest alone, made for something else, is none of the model.
	bare, err := json.Marshal(signature{s.Public().String(), ed25519.Sign(s.private, []byte(m.Digest()))})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, SignatureFile), bare)
	_, err = LoadTrusted(dir, []PublicKey{s.Public()})
	refuses(t, err, "no signature of this model")
}

func TestLoadTrusted(t *testing.T) {
	dir, s, other := brought(t, "v1"), newSigner(t), newSigner(t)
	load := func(keys ...PublicKey) error {
		_, err := LoadTrusted(dir, keys)
		return err
	}
	if err := load(); err != nil {
		t.Errorf("without keys a model needs no signature: %v", err)
	}
	if err := load(s.Public()); !errors.Is(err, ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := s.SignDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := load(other.Public(), s.Public()); err != nil {
		t.Errorf("signed by the second of two keys: %v", err)
	}
	refuses(t, load(other.Public()), "signed by "+s.Public().String()+", which is not among the trusted keys")
	// What is not signed is not parsed: the refusal is the signature's, not the parser's.
	write(t, filepath.Join(dir, TextFile), []byte("tree\nnonsense\n"))
	refuses(t, load(s.Public()), "no signature of this model")
	refuses(t, load(), "model line")
	for text, want := range map[string]string{
		"": "no JSON object", `{"key":"` + s.Public().String() + `"}`: "no signature", `{"key":"ed25519:AAAA","signature":"AAAA"}`: "not ed25519: and 32 bytes",
		`{"key":"` + s.Public().String() + `","signature":"!"}`: "illegal base64", `{"key":"x","signature":"","more":"x"}`: "unknown field",
		strings.Repeat(" ", maxSmallBytes+1): "larger than",
	} {
		write(t, filepath.Join(dir, SignatureFile), []byte(text))
		refuses(t, load(s.Public()), want)
	}
	_, err := s.SignDir(dir)
	refuses(t, err, "model line") // what does not load is not signed
}

func TestSigningKeys(t *testing.T) {
	s := newSigner(t)
	text, err := s.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSigner(text)
	if err != nil || again.Public() != s.Public() {
		t.Errorf("%v", err)
	}
	if k, err := ParsePublicKey(s.Public().String()); err != nil || k != s.Public() {
		t.Errorf("%v, %v", k, err)
	}
	// RFC 8410, section 10.3: a private key and the public half of it (section 10.1).
	known := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	rfc, err := ParseSigner([]byte(known))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rfc.Public().String(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, err := rfc.PEM(); err != nil || string(got) != known {
		t.Errorf("%s, %v", got, err)
	}
	block, _ := pem.Decode(text)
	for _, bad := range []string{"", "key", string(text) + "x", string(text) + string(text), strings.Replace(string(text), "PRIVATE", "PUBLIC", 2),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:20]}))} {
		if _, err := ParseSigner([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
	for _, bad := range []string{"", "ed25519:", s.Public().String() + "=", s.Public().String()[:50], "rsa:" + s.Public().String()[8:], s.Public().String() + "AAAA"} {
		if _, err := ParsePublicKey(bad); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
}

// TestOpenSSLKey reads what openssl writes.
func TestOpenSSLKey(t *testing.T) {
	text, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519").Output()
	if err != nil {
		t.Skipf("openssl makes no key here: %v", err)
	}
	if _, err := ParseSigner(text); err != nil {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	s, own := newSigner(t), loadModel(t, "zero", "own")
	r := NewRegistry(t.TempDir(), []PublicKey{s.Public()}, own)
	read := func(now Serving, want ...string) Serving {
		t.Helper()
		next, err := r.Read(now)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range []*Model{next.Champion, next.Challenger} {
			if m != nil {
				got = append(got, m.Digest())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v serve, want %v", got, want)
		}
		return next
	}
	name := func(champion, challenger string) {
		t.Helper()
		if err := r.Name(Names{Champion: champion, Challenger: challenger}); err != nil {
			t.Fatal(err)
		}
	}
	now := read(Serving{}, own.Digest())
	a, b := add(t, r, s, "a"), add(t, r, s, "b")
	name("", a)
	now = read(now, own.Digest(), a)
	if again := read(now, own.Digest(), a); again != now {
		t.Error("what serves was loaded again")
	}
	challenger := now.Challenger
	name(a, "")
	if now = read(now, a); now.Champion != challenger {
		t.Error("a promotion loads anew")
	}
	name(a, b)
	now = read(now, a, b)
	if err := os.RemoveAll(r.Folder(a)); err != nil { // of a model that serves
		t.Fatal(err)
	}
	now = read(now, a, b)
	name(own.Digest(), b) // by its digest, though it is not in the folder
	now = read(now, own.Digest(), b)
	write(t, filepath.Join(r.Dir(), ServingFile), []byte(`{"challenger":"`+own.Digest()+`"}`))
	read(now, own.Digest()) // the champion is no challenger of itself
}

// TestReadKeepsARole: one role is refused, the other is served as named. Nothing is
// loaded twice until the files change.
func TestReadKeepsARole(t *testing.T) {
	s, own := newSigner(t), loadModel(t, "zero", "own")
	r := NewRegistry(t.TempDir(), []PublicKey{s.Public()}, own)
	a, b := add(t, r, s, "a"), add(t, r, s, "b")
	if err := r.Name(Names{Champion: a}); err != nil {
		t.Fatal(err)
	}
	now, err := r.Read(Serving{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.Dir(), ServingFile), []byte(`{"champion":"`+b+`","challenger":"`+own.Digest()+`"}`))
	signature := filepath.Join(r.Folder(b), SignatureFile)
	good, err := os.ReadFile(signature)
	if err != nil {
		t.Fatal(err)
	}
	write(t, signature, []byte("{}"))
	next, err := r.Read(now)
	refuses(t, err, "champion "+b+" refused")
	if next.Champion != now.Champion || next.Challenger != own {
		t.Errorf("champion %s, challenger %s", next.Champion.Version(), next.Challenger.Version())
	}
	_, again := r.Read(now)
	refuses(t, again, "champion "+b+" refused")
	if first, second := errors.Unwrap(single(err)), errors.Unwrap(single(again)); first != second {
		t.Error("a refused model was looked at again though nothing changed")
	}
	write(t, signature, good)
	if err := os.Chtimes(signature, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if next, err = r.Read(next); err != nil || next.Champion.Digest() != b {
		t.Errorf("a mended model is not taken: %v", err)
	}
	write(t, filepath.Join(r.Dir(), ServingFile), []byte("{"))
	if kept, err := r.Read(next); err == nil || kept != next {
		t.Errorf("a broken file changed what serves: %v", err)
	}
	if err := os.Remove(filepath.Join(r.Dir(), ServingFile)); err != nil {
		t.Fatal(err)
	}
	if kept, err := r.Read(next); !errors.Is(err, fs.ErrNotExist) || kept != next {
		t.Errorf("a file that has gone changed what serves: %v", err)
	}
}

// single returns the one error that was joined.
func single(err error) error { return err.(interface{ Unwrap() []error }).Unwrap()[0] }

func TestNameRefuses(t *testing.T) {
	s := newSigner(t)
	r := NewRegistry(t.TempDir(), []PublicKey{s.Public()}, nil)
	a := add(t, r, s, "a")
	if err := r.Name(Names{Champion: a}); err != nil {
		t.Fatal(err)
	}
	b := add(t, r, s, "b")
	if err := os.Remove(filepath.Join(r.Folder(b), SignatureFile)); err != nil {
		t.Fatal(err)
	}
	refuses(t, r.Name(Names{Champion: b}), "not signed")
	refuses(t, r.Name(Names{Champion: a, Challenger: b}), "not signed")
	refuses(t, r.Name(Names{Champion: a, Challenger: a}), "same model")
	refuses(t, r.Name(Names{Champion: "latest"}), "no digest")
	if n, err := r.Names(); err != nil || n.Champion != a || n.Challenger != "" {
		t.Errorf("a refused change was written: %+v, %v", n, err)
	}
	left, err := filepath.Glob(filepath.Join(r.Dir(), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAddAndList(t *testing.T) {
	s, own := newSigner(t), loadModel(t, "zero", "own")
	dir := t.TempDir()
	r, strict := NewRegistry(dir, nil, own), NewRegistry(dir, []PublicKey{s.Public()}, own)
	a := add(t, r, s, "a")
	plain, err := r.Add(brought(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	b := plain.Digest()
	_, err = strict.Add(brought(t, "c"))
	refuses(t, err, "not signed")
	if err := r.Name(Names{Challenger: a}); err != nil {
		t.Fatal(err)
	}
	list := func(r *Registry) (out []string) {
		t.Helper()
		all, err := r.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			out = append(out, fmt.Sprintf("%s %s %s %t %t", e.Card.Version, e.Role, e.Digest, e.Signer != "", e.Err == nil))
		}
		return out
	}
	want := []string{"own champion " + own.Digest() + " false true", "a challenger " + a + " true true", "b  " + b + " false true"}
	if got := list(r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	want[2] = "b  " + b + " false false" // not signed
	if got := list(strict); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for text, want := range map[string]string{a: a, a[:13]: a, b[7:20]: b, own.Digest(): own.Digest()} {
		if got, err := r.Find(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "no model", a[:12]: "at least 6", "../../": "no model", "zzzzzzzz": "no model", strings.Repeat("0", 64): "no model in"} {
		_, err := r.Find(text)
		refuses(t, err, want)
	}
	// The same text and card again is the same model; over a damaged one it is refused.
	if again, err := r.Add(brought(t, "b")); err != nil || again.Digest() != b {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(r.Folder(b), CardFile), []byte("{}"))
	_, err = r.Add(brought(t, "b"))
	refuses(t, err, "is there already and is not that model")
	if got := list(r)[2]; !strings.Contains(got, b+" false false") {
		t.Errorf("a damaged model is listed as %s", got)
	}
	if err := os.RemoveAll(r.Folder(a)); err != nil {
		t.Fatal(err)
	}
	if got := list(r)[1]; got != " challenger "+a+" false false" {
		t.Errorf("a challenger that is not there is listed as %q", got)
	}
}

// TestAddBringsTheSignature to a model that is there without one, and none that is wrong.
func TestAddBringsTheSignature(t *testing.T) {
	s := newSigner(t)
	r := NewRegistry(t.TempDir(), nil, nil)
	dir := brought(t, "a")
	m, err := r.Add(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, SignatureFile), newSigner(t).Sign("sha256:another"))
	_, err = r.Add(dir)
	refuses(t, err, "no signature of this model")
	if _, err := s.SignDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(dir); err != nil {
		t.Fatal(err)
	}
	if k, err := signerOf(r.Folder(m.Digest()), m.Digest()); err != nil || k != s.Public() {
		t.Errorf("%v, %v", k, err)
	}
	if got, err := LoadTrusted(r.Folder(m.Digest()), []PublicKey{s.Public()}); err != nil || !bytes.Equal(got.text, m.text) {
		t.Errorf("%v", err)
	}
}
