package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// TestWrite: our side parses by our own parsers, and the suite's side names the same
// clients.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "conformance")
	r := Run{Listen: "127.0.0.1:9443", Suite: "https://localhost:8443"}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	clients, err := authz.ParseClients(read("clients.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ceremony.ParseAccounts(read("accounts.yaml")); err != nil {
		t.Error(err)
	}
	if _, err := engine.ParsePolicy(read("policy.yaml")); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(string(read("plans.txt"))), "\n")
	if len(lines) != 28 { // {private_key_jwt, mtls} x {dpop, mtls} x (4 of the Security Profile, 3 of Message Signing)
		t.Errorf("%d plans, want 28", len(lines))
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, "\t")
		variant, file, _ := strings.Cut(rest, "\t")
		var c struct {
			One struct {
				ID   string                          `json:"client_id"`
				JWKS struct{ Keys []map[string]any } `json:"jwks"`
			} `json:"client"`
			MTLS map[string]string `json:"mtls"`
		}
		if err := json.Unmarshal(read(filepath.Base(file)), &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		client := clients.Find(c.One.ID)
		if client == nil {
			t.Fatalf("%s: client %q is none of ours", name, c.One.ID)
		}
		if got, want := client.Auth == signals.PrivateKeyJWT, strings.Contains(variant, "client_auth_type=private_key_jwt"); got != want {
			t.Errorf("%s: %s authenticates by %v", name, c.One.ID, client.Auth)
		}
		if got, want := client.Constraint == engine.MTLSConstraint, strings.Contains(variant, "sender_constrain=mtls"); got != want {
			t.Errorf("%s: tokens of %s are bound by %v", name, c.One.ID, client.Constraint)
		}
		if got, want := c.MTLS != nil, strings.Contains(variant, "=mtls]"); got != want {
			t.Errorf("%s: the suite has a certificate: %v", name, got)
		}
		if client.SignedRequests != strings.Contains(variant, "signed_non_repudiation") {
			t.Errorf("%s: signed requests: %v", name, client.SignedRequests)
		}
		if c.One.JWKS.Keys[0]["d"] == nil || strings.Contains(string(read("clients.yaml")), `"d":`) {
			t.Errorf("%s: the private key is where it should not be, or not where it should", name)
		}
	}
	if err := r.Write(dir); err == nil {
		t.Error("a folder that is there was written over")
	}
}
