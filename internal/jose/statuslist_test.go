package jose

import (
	"bytes"
	"compress/zlib"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestStatusListVectors: the examples of draft-ietf-oauth-status-list-21, section 4 and
// appendix "Test vectors", of which the file is a copy: every entry that is not named is 0.
func TestStatusListVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/statuslist.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Bits   int               `json:"bits"`
		List   string            `json:"lst"`
		Size   int               `json:"size"`
		Status map[string]Status `json:"status"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(fmt.Sprintf("%d bits, %d entries", v.Bits, v.Size), func(t *testing.T) {
			l, err := ParseStatusList(fmt.Appendf(nil, `{"bits":%d,"lst":%q}`, v.Bits, v.List))
			if err != nil || l.Len() != v.Size {
				t.Fatalf("%v, %v", l, err)
			}
			made, err := NewStatusList(v.Bits, v.Size)
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range v.Status {
				i, err := strconv.Atoi(name)
				if err != nil || !made.Set(i, s) {
					t.Fatalf("%q cannot be set to %d", name, s)
				}
			}
			for i := range v.Size {
				if s, ok := l.At(i); !ok || s != v.Status[strconv.Itoa(i)] {
					t.Fatalf("entry %d is %d, want %d", i, s, v.Status[strconv.Itoa(i)])
				}
			}
			again, err := json.Marshal(made)
			if err != nil {
				t.Fatal(err)
			}
			if made, err = ParseStatusList(again); err != nil || !bytes.Equal(made.data, l.data) {
				t.Errorf("what was made by hand is another list (%v)", err)
			}
		})
	}
}

func packed(data []byte) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// TestStatusListRefuses: the control is the greatest list that is taken.
func TestStatusListRefuses(t *testing.T) {
	f := func(doc string, good bool) {
		t.Helper()
		if _, err := ParseStatusList([]byte(doc)); (err == nil) != good || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60s: %v", doc, err)
		}
	}
	greatest := packed(make([]byte, MaxStatusList))
	f(`{"bits":1,"lst":"`+greatest+`"}`, true)
	f(`{"bits":1,"lst":"`+packed(make([]byte, MaxStatusList+1))+`"}`, false) // a kilobyte that would be more than a megabyte
	raw, err := base64.RawURLEncoding.DecodeString(greatest)
	if err != nil {
		t.Fatal(err)
	}
	f(`{"bits":1,"lst":"`+base64.RawURLEncoding.EncodeToString(append(raw, 0))+`"}`, false)
	raw[len(raw)-1] ^= 1 // of the checksum
	f(`{"bits":1,"lst":"`+base64.RawURLEncoding.EncodeToString(raw)+`"}`, false)
	for _, doc := range []string{`{}`, `[]`, `{"bits":2}`, `{"bits":3,"lst":"eNrbuRgAAhcBXQ"}`, `{"bits":0,"lst":"eNrbuRgAAhcBXQ"}`, `{"bits":"1","lst":"eNrbuRgAAhcBXQ"}`,
		`{"bits":1,"lst":"eNrbuRgAAhcBXQ=="}`, `{"bits":1,"lst":""}`, `{"bits":1,"lst":1}`, `{"bits":1,"bits":1,"lst":"eNrbuRgAAhcBXQ"}`, `{"bits":1,"lst":"` + packed(nil) + `"}`} {
		f(doc, false)
	}
	l, err := NewStatusList(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{-1, 8, 1 << 40} {
		if _, ok := l.At(i); ok || l.Set(i, 1) {
			t.Errorf("there is an entry %d", i)
		}
	}
	if l.Set(0, 4) {
		t.Error("two bits hold a 4")
	}
	for _, size := range [][2]int{{3, 8}, {0, 8}, {16, 8}, {2, 0}, {8, MaxStatusList + 1}} {
		if _, err := NewStatusList(size[0], size[1]); err == nil {
			t.Errorf("%v makes a list", size)
		}
	}
}

// TestStatusListToken: a published list is believed for its own URI, by the issuer's
// key, while it is fresh. The first is the control.
func TestStatusListToken(t *testing.T) {
	p := fuzzParty()
	signer, err := NewSigner("ed", p.ed)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := NewKeySet(signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	l, _ := NewStatusList(2, 64)
	l.Set(7, StatusSuspended)
	const uri = "https://as.example/status/a"
	good := StatusListToken{URI: uri, List: l, Issued: now, Life: time.Minute, TTL: time.Second}
	text, err := signer.SignStatusList(&good)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseStatusListToken(text, uri, keys, now, 5*time.Minute)
	if err != nil || got.TTL != time.Second || got.Life != time.Minute {
		t.Fatalf("%+v %v", got, err)
	}
	if s, _ := got.List.At(7); s != StatusSuspended {
		t.Errorf("entry 7 is %d", s)
	}
	strange, _ := NewSigner("ed", ed25519.NewKeyFromSeed(make([]byte, 32)))
	forged, _ := strange.SignStatusList(&good)
	access, _ := signer.Sign("at+jwt", map[string]any{"sub": uri, "iat": now.Unix(), "exp": now.Unix() + 60, "status_list": l})
	noExp, _ := signer.Sign(StatusListType, map[string]any{"sub": uri, "iat": now.Unix(), "status_list": l})
	noList, _ := signer.Sign(StatusListType, map[string]any{"sub": uri, "iat": now.Unix(), "exp": now.Unix() + 60})
	badTTL, _ := signer.Sign(StatusListType, map[string]any{"sub": uri, "iat": now.Unix(), "exp": now.Unix() + 60, "ttl": -1, "status_list": l})
	for name, f := range map[string]func() error{
		"another URI": func() error { _, err := ParseStatusListToken(text, uri+"b", keys, now, 5*time.Minute); return err },
		"no URI":      func() error { _, err := ParseStatusListToken(text, "", keys, now, 5*time.Minute); return err },
		"expired": func() error {
			_, err := ParseStatusListToken(text, uri, keys, now.Add(time.Minute), 5*time.Minute)
			return err
		},
		"lives long":    func() error { _, err := ParseStatusListToken(text, uri, keys, now, 30*time.Second); return err },
		"another's key": func() error { _, err := ParseStatusListToken(forged, uri, keys, now, 5*time.Minute); return err },
		"another typ":   func() error { _, err := ParseStatusListToken(access, uri, keys, now, 5*time.Minute); return err },
		"no exp":        func() error { _, err := ParseStatusListToken(noExp, uri, keys, now, 5*time.Minute); return err },
		"no list":       func() error { _, err := ParseStatusListToken(noList, uri, keys, now, 5*time.Minute); return err },
		"bad ttl":       func() error { _, err := ParseStatusListToken(badTTL, uri, keys, now, 5*time.Minute); return err },
	} {
		if f() == nil {
			t.Errorf("%s: it is believed", name)
		}
	}
	for _, bad := range []StatusListToken{{List: l, Life: time.Minute, TTL: time.Second}, {URI: uri, List: l, Life: time.Minute}, {URI: uri, List: l, Life: time.Second, TTL: time.Minute}} {
		if _, err := signer.SignStatusList(&bad); err == nil {
			t.Errorf("%+v is signed", bad)
		}
	}
}

// FuzzParseStatusList: what is taken is within its bound and stays the same when it is
// written and read again.
func FuzzParseStatusList(f *testing.F) {
	for _, doc := range []string{`{"bits":1,"lst":"eNrbuRgAAhcBXQ"}`, `{"bits":2,"lst":"eNo76fITAAPfAgc"}`, `{"bits":8,"lst":"` + packed(make([]byte, 1<<16)) + `"}`, `{"bits":1,"lst":""}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		l, err := ParseStatusList(doc)
		if err != nil {
			return
		}
		if len(l.data) > MaxStatusList {
			t.Fatalf("%d bytes", len(l.data))
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseStatusList(text)
		if err != nil || again.bits != l.bits || !bytes.Equal(again.data, l.data) {
			t.Errorf("%v: %v", again, err)
		}
	})
}
