package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
)

// shop is a folder of models that a daemon serves from, and who signs them.
type shop struct {
	*running
	dir    string
	signer models.Signer
	reads  int
}

func newSigner(t *testing.T) models.Signer {
	t.Helper()
	s, err := models.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bring puts a model into the folder, signed, and returns its digest.
func (s *shop) bring(version string, low, high float64) string {
	s.t.Helper()
	text, card := modeltest.Stump(version, 0, 0.5, low, high)
	from := s.t.TempDir()
	modeltest.Folder(s.t, from, text, card)
	m, err := s.signer.SignDir(from)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := models.NewRegistry(s.dir, nil, nil).Add(from); err != nil {
		s.t.Fatal(err)
	}
	return m.Digest()
}

// write writes the serving file as it is, wrong or not.
func (s *shop) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, models.ServingFile), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) name(champion, challenger string) {
	s.t.Helper()
	text, err := json.Marshal(models.Names{Champion: champion, Challenger: challenger})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(string(text))
}

// reload makes the daemon look now.
func (s *shop) reload() {
	s.t.Helper()
	s.reads++
	s.again <- syscall.SIGHUP
	s.log.await(s.t, "read again", s.reads)
}

// serves checks who decides, by an answer, and who shadows, by its receipt.
func (s *shop) serves(id, champion, challenger string) {
	s.t.Helper()
	status, answer := s.ask(http.MethodPost, "/v1/score", login(id, "anna", 0))
	var v struct {
		DecisionID string `json:"decision_id"`
		Model      struct{ Digest string }
		Challenger struct{ Digest string }
	}
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != 200 {
		s.t.Fatalf("%d %s", status, answer)
	}
	_, receipt := s.ask(http.MethodGet, "/v1/decisions/"+v.DecisionID, "")
	if err := json.Unmarshal([]byte(receipt), &v); err != nil {
		s.t.Fatal(err)
	}
	if v.Model.Digest != champion || v.Challenger.Digest != challenger {
		s.t.Errorf("%s: %s decides and %q shadows, want %s and %q", id, v.Model.Digest, v.Challenger.Digest, champion, challenger)
	}
}

// openShop boots a daemon that trusts one key, with the embedded baseline deciding.
func openShop(t *testing.T, args ...string) *shop {
	t.Helper()
	data := t.TempDir()
	s := &shop{dir: filepath.Join(data, engine.ModelFolder), signer: newSigner(t)}
	s.running = boot(t, data, append([]string{"-models.keys", newSigner(t).Public().String() + "," + s.signer.Public().String()}, args...)...)
	return s
}

// TestModelsAreSwapped from the baseline alone to a challenger, its promotion, a
// restart and the way back; every decision of all that is made again alike.
func TestModelsAreSwapped(t *testing.T) {
	s := openShop(t, "-models.every=1s")
	baseline := s.engine.Model().Digest()
	a, b := s.bring("a", -8, -7), s.bring("b", -6, -5)
	s.serves("before", baseline, "")
	s.name("", a)
	s.log.await(t, "models swapped", 1) // looked at by itself
	s.serves("shadow", baseline, a)
	if _, body := s.operator("/version"); !strings.Contains(body, a) {
		t.Errorf("/version does not name the challenger:\n%s", body)
	}
	if _, body := s.operator("/metrics"); !strings.Contains(body, "wary_challengers 1\n") || !strings.Contains(body, `wary_challenger_decisions_total{champion="`) {
		t.Error("no metric of the challenger")
	}
	s.name(a, b)
	s.log.await(t, "models swapped", 2)
	s.serves("promoted", a, b)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	again := &shop{running: boot(t, s.c.Data, "-models.keys", s.signer.Public().String()), dir: s.dir, signer: s.signer}
	again.serves("restarted", a, b)
	again.name("", "")
	again.reload()
	again.serves("back", baseline, "")
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	replayAll(t, s.c.Data, 5)
}

// replayAll makes n decisions of a data folder again.
func replayAll(t *testing.T, data string, n int) {
	t.Helper()
	r := engine.NewReplayer(func(digest string) (*models.Model, error) {
		return models.LoadDir(filepath.Join(data, engine.ModelFolder, strings.TrimPrefix(digest, "sha256:")))
	})
	for rec, err := range journal.Records(filepath.Join(data, "journal"), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		if n--; !got.Identical {
			t.Errorf("%v: %s", got.At, got.Why)
		}
	}
	if n != 0 {
		t.Errorf("%d decisions are missing", n)
	}
}

// TestBadCandidates: each is refused with its reason and counted, and those that
// serve keep serving; in the end a good one is the control.
func TestBadCandidates(t *testing.T) {
	s := openShop(t)
	a, b := s.bring("a", -8, -7), s.bring("b", -6, -5)
	s.name(a, b)
	s.reload()
	s.serves("good", a, b)
	registry := models.NewRegistry(s.dir, nil, nil)
	n := 0
	refused := func(reason string) {
		t.Helper()
		n++
		before, said := modelsRefusedTotal.Get(), len(s.log.String())
		s.reload()
		if log := s.log.String()[said:]; !strings.Contains(log, "model refused") || !strings.Contains(log, reason) {
			t.Errorf("no refusal with %q in\n%s", reason, log)
		}
		if modelsRefusedTotal.Get() != before+1 {
			t.Errorf("%s: not counted", reason)
		}
		s.serves(fmt.Sprint("bad-", n), a, b)
	}
	// f brings a good model, spoils its folder and names it in both roles.
	f := func(reason string, spoil func(dir string)) {
		t.Helper()
		c := s.bring(fmt.Sprint("c", n), 1, 2)
		spoil(registry.Folder(c))
		s.name(c, b)
		refused(reason)
		s.name(a, c)
		refused(reason)
	}
	file := func(dir, name string, change func([]byte) []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		old, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(old), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	f("unpack", func(dir string) { file(dir, models.GzipFile, cut) })
	f("not what its name says", func(dir string) { file(dir, models.CardFile, cut) })
	f("not what its name says", func(dir string) {
		file(dir, models.CardFile, func(b []byte) []byte { return bytes.Replace(b, []byte("modeltest"), []byte("modelTest"), 1) })
	})
	f("not signed", func(dir string) { remove(t, filepath.Join(dir, models.SignatureFile)) })
	f("signature.json", func(dir string) { file(dir, models.SignatureFile, cut) })
	f("no such file", func(dir string) { remove(t, filepath.Join(dir, models.CardFile)) })
	f("no such file", func(dir string) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	})
	f("not among the trusted keys", func(dir string) {
		if _, err := newSigner(t).SignDir(dir); err != nil {
			t.Fatal(err)
		}
	})
	f("no signature of this model", func(dir string) {
		other, err := os.ReadFile(filepath.Join(registry.Folder(a), models.SignatureFile))
		if err != nil {
			t.Fatal(err)
		}
		file(dir, models.SignatureFile, func([]byte) []byte { return other })
	})
	for _, x := range s.signedButBad() {
		s.name(x.digest, b)
		refused(x.reason)
		s.name(a, x.digest)
		refused(x.reason)
	}
	for text, reason := range map[string]string{
		"": "no JSON object", "{": "EOF", `{"champion":"a"}`: "is no digest", `{"champion":"` + b + `","challenger":"` + b + `"}`: "the same model",
		`{"champion":"../../etc"}`: "is no digest", `{"winner":"` + b + `"}`: "unknown field", `{"champion":"` + b + `","champion":"` + a + `"}`: "stands twice",
	} {
		s.write(text)
		refused(reason)
	}
	remove(t, filepath.Join(s.dir, models.ServingFile))
	refused("no such file")

	s.name(b, a)
	s.reload()
	s.serves("control", b, a)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	replayAll(t, s.c.Data, n+2)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// badModel is one that is what its name says and is signed, and no model to serve.
type badModel struct{ digest, reason string }

// signedButBad brings models that only loading can refuse, as a thief of the key
// would: signed without a look.
func (s *shop) signedButBad() (out []badModel) {
	s.t.Helper()
	text, card := modeltest.Stump("x", 0, 0.5, 1, 2)
	replace := func(b []byte, old, with string) []byte {
		if !bytes.Contains(b, []byte(old)) {
			s.t.Fatalf("no %s to replace", old)
		}
		return bytes.Replace(b, []byte(old), []byte(with), 1)
	}
	for _, x := range []struct {
		text, card []byte
		reason     string
	}{
		{text, replace(card, `"schema":"`, `"schema":"0`), "trained on schema"},
		{replace(text, "leaf_value=1 2", "leaf_value=1 x"), card, "model line"},
		{replace(text, "left_child=-1", "left_child=-2"), card, "model line"},
		{text[:len(text)-40], card, "model line"},
		{text, replace(card, `"none"`, `"magic"`), "parse card"},
	} {
		digest := modeltest.Digest(x.text, x.card)
		dir := models.NewRegistry(s.dir, nil, nil).Folder(digest)
		modeltest.Folder(s.t, dir, x.text, x.card)
		if err := os.WriteFile(filepath.Join(dir, models.SignatureFile), s.signer.Sign(digest), 0o600); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, badModel{digest, x.reason})
	}
	return out
}

// TestStartWithBadModels: without its champion a daemon does not start; without its
// challenger it does, and says so.
func TestStartWithBadModels(t *testing.T) {
	s := openShop(t)
	a := s.bring("a", -8, -7)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	missing := "sha256:" + strings.Repeat("0", 64)
	s.name(missing, a)
	d, err := start(configure(t, s.c.Data), slog.New(slog.DiscardHandler))
	if d != nil || err == nil || !strings.Contains(err.Error(), "champion "+missing+" refused") {
		t.Errorf("%v", err)
	}
	s.name(a, missing)
	again := &shop{running: boot(t, s.c.Data), dir: s.dir}
	again.serves("x", a, "")
	if log := again.log.String(); !strings.Contains(log, "model refused") || !strings.Contains(log, "challenger "+missing) {
		t.Errorf("the missing challenger is not told:\n%s", log)
	}
	if err := run([]string{"-check", "-data", s.c.Data, "-geo.dir", s.dir}, noEnv, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("-check finds nothing: %v", err)
	}
}

// TestPinnedModel serves whatever the registry says, and it too must be signed.
func TestPinnedModel(t *testing.T) {
	s := openShop(t)
	a, b := s.bring("a", -8, -7), s.bring("b", -6, -5)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.name(a, "")
	folder := models.NewRegistry(s.dir, nil, nil).Folder(b)
	pinned := &shop{running: boot(t, s.c.Data, "-model", folder, "-models.keys", s.signer.Public().String()), dir: s.dir}
	pinned.reload()
	pinned.serves("x", b, "")
	f := func(want string, args ...string) {
		t.Helper()
		err := run(append([]string{"-check", "-data", t.TempDir(), "-geo.dir", s.dir}, args...), noEnv, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
	f("not among the trusted keys", "-model", folder, "-models.keys", newSigner(t).Public().String())
	f("not both", "-model", folder, "-models.dir", s.dir)
	f("models.dir", "-models.dir", filepath.Join(s.dir, "none"))
	f("models.keys", "-models.keys", "ed25519:short")
	f("models.keys", "-models.keys", "rsa:x")
	f("less than a second", "-models.every=1ms")
}
