package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sharedStore starts a redis-server on loopback and returns its address as the
// configuration names it.
func sharedStore(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed; apt-get install redis-server, or scripts/deps.sh redis, brings it")
	}
	const password = "only-of-this-test"
	for range 20 { // somebody else may take the port before Redis does
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr)
		l.Close()
		dir := t.TempDir()
		server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(addr.Port), "--dir", dir, "--save", "",
			"--appendonly", "yes", "--requirepass", password, "--daemonize", "no", "--loglevel", "warning")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- server.Wait() }()
		if !answers(addr.String(), dir, password, ended) {
			continue
		}
		t.Cleanup(func() {
			_ = server.Process.Kill()
			<-ended
		})
		return fmt.Sprintf("redis://:%s@%s", password, addr)
	}
	t.Fatal("redis-server never had a port")
	return ""
}

// answers waits until the server of a folder answers at an address.
func answers(addr, dir, password string, ended chan error) bool {
	for range 4000 {
		select {
		case <-ended:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			fmt.Fprintf(c, "AUTH %s\r\nCONFIG GET dir\r\nQUIT\r\n", password)
			text, _ := io.ReadAll(bufio.NewReader(c))
			c.Close()
			if strings.Contains(string(text), dir) {
				return true
			}
		}
	}
	return false
}

// at returns the client as it reaches one of several nodes of an issuer.
func (c *thirdParty) at(r *running) *thirdParty {
	node := *c
	node.reach(r)
	node.http.Transport.(*http.Transport).TLSClientConfig.ServerName = "localhost"
	node.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", loopbackOf(r.authorization.addr))
	}
	return &node
}

// present reads with a proof made before.
func (c *thirdParty) present(path, token, proof string) int {
	c.t.Helper()
	req, err := http.NewRequest("GET", c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "DPoP "+token)
	req.Header.Set("DPoP", proof)
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestSharedStore: two daemons of one issuer with one Redis. A token of one is good
// at the other, and what was taken or revoked at one is so at the other.
func TestSharedStore(t *testing.T) {
	address := sharedStore(t)
	c := newThirdParty(t)
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	c.file(clients, "app")
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, []byte(strings.Repeat("5a", 32)))
	var nodes [2]*thirdParty
	for i := range nodes {
		nodes[i] = c.at(boot(t, t.TempDir(), "-node="+fmt.Sprint(i), "-authorization.listen=127.0.0.1:0", "-authorization.issuer=https://localhost:9443", "-authorization.demo",
			"-authorization.clients="+clients, "-policy="+trusting(t), "-authorization.store="+address, "-authorization.secret="+secret))
	}
	status, body := nodes[0].token("app")
	token, _ := body["access_token"].(string)
	if status != 200 {
		t.Fatalf("token: %d %v", status, body)
	}
	nodes[1].nonce = nodes[0].nonce // both make it of one key
	if status, body := nodes[1].do("GET", "/bank/accounts", token, nil); status != 200 {
		t.Fatalf("the other node refuses it: %d %v", status, body)
	}

	proof := nodes[0].proof("GET", nodes[0].base+"/bank/accounts", token)
	if got := nodes[0].present("/bank/accounts", token, proof); got != 200 {
		t.Fatalf("a proof at one node: %d", got)
	}
	if got := nodes[1].present("/bank/accounts", token, proof); got != 401 {
		t.Errorf("the same proof at the other: %d", got)
	}

	now := time.Now().Unix()
	form := url.Values{"token": {token}, "client_id": {"app"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {c.sign(`{"alg":"EdDSA"}`, map[string]any{"iss": "app", "sub": "app", "aud": nodes[0].base, "jti": unique(), "iat": now, "exp": now + 30})}}
	if status, body := nodes[0].do("POST", "/revoke", "", form); status != 200 {
		t.Fatalf("revoke: %d %v", status, body)
	}
	if status, _ := nodes[1].do("GET", "/bank/accounts", token, nil); status != 401 {
		t.Errorf("revoked at one node, at the other: %d", status)
	}
	if status, body := nodes[1].do("POST", "/revoke", "", form); status != 401 || body["error"] != "invalid_client" {
		t.Errorf("the client's assertion is good twice: %d %v", status, body)
	}
}
