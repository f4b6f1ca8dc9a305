package conformance

import (
	"net"
)

// object is a JSON object of the suite's configuration.
type object = map[string]any

// configuration returns what the suite is told of one plan.
func (c *Run) configuration(p *plan, both [2]*party) object {
	_, port, _ := net.SplitHostPort(c.Listen) // checked by Write
	issuer := "https://localhost:" + port
	scope, at := "openid accounts", issuer+"/userinfo"
	if !p.openid {
		scope, at = "accounts", issuer+"/bank/accounts"
	}
	resource := object{"resourceUrl": at}
	if p.detail {
		resource["richAuthorizationRequest"] = []object{{"type": "account_information", "actions": []string{"list_accounts", "read_balances"}}}
	}
	out := object{
		"alias": alias, "description": "Wary, " + p.name, "server": object{"discoveryUrl": issuer + "/.well-known/openid-configuration"},
		"resource": resource, "browser": []object{c.browser(issuer, c.login(issuer), c.consent(issuer), c.done())}, "override": c.overrides(issuer),
	}
	for i, suffix := range [...]string{"", "2"} {
		out["client"+suffix] = object{
			"client_id": both[i].id, "scope": scope, "jwks": object{"keys": []object{private(both[i])}}, "dpop_signing_alg": "ES256",
		}
		if p.pair.auth == "mtls" || p.pair.bound == "mtls" {
			out["mtls"+suffix] = both[i].pem
		}
	}
	return out
}

func private(p *party) object {
	out := object{}
	for name, v := range p.jwk {
		out[name] = v
	}
	return out
}

// browser says what the suite's browser does where it is sent to authorize.
func (c *Run) browser(issuer string, tasks ...object) object {
	return object{"match": issuer + "*/authorize*", "tasks": tasks}
}

func (c *Run) login(issuer string) object {
	return object{"task": "Login", "match": issuer + "*/login*", "commands": [][]any{
		{"text", "id", "username", "alice"}, {"text", "id", "password", password}, {"click", "id", "submit_button"},
	}}
}

func (c *Run) consent(issuer string) object {
	return object{"task": "Consent", "match": issuer + "*/login*", "commands": [][]any{{"click", "id", "submit_button"}}}
}

func (c *Run) done() object {
	return object{"task": "Done", "match": c.Suite + "/test/a/" + alias + "/callback*", "commands": [][]any{{"wait", "id", "submission_complete", 10}}}
}

// refused expects our error page; the suite keeps a picture of it for a person to look at.
func (c *Run) refused(issuer string) object {
	return object{"task": "Error page", "match": issuer + "*/authorize*", "commands": [][]any{
		{"wait", "id", "message", 10, errorPageText, "update-image-placeholder"},
	}}
}

// errorPageText stands on the error page of the authorization endpoint.
const errorPageText = "Go back to the application"

func optional(tasks ...object) []object {
	for _, t := range tasks {
		t["optional"] = true
	}
	return tasks
}

// overrides say what the browser does in modules that do not end as usual.
func (c *Run) overrides(issuer string) object {
	refused := object{"browser": []object{c.browser(issuer, optional(c.refused(issuer))...)}}
	cancel := c.login(issuer)
	cancel["commands"] = [][]any{{"click", "id", "cancel_button"}}
	leaves := c.browser(issuer, object{"task": "Open the page and leave", "match": issuer + "*/login*", "commands": [][]any{}})
	leaves["match-limit"] = 1
	out := object{}
	for name, o := range map[string]object{
		"user-rejects-authentication":                                   {"browser": []object{c.browser(issuer, cancel, c.done())}},
		"ensure-unsigned-authorization-request-without-using-par-fails": refused,
		"par-attempt-to-use-expired-request_uri":                        refused,
		"par-attempt-to-use-request_uri-for-different-client":           refused,
		"par-attempt-reuse-request_uri": {"browser": []object{
			c.browser(issuer, optional(c.login(issuer), c.consent(issuer), c.done(), c.refused(issuer))...),
		}},
		"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": {"browser": []object{
			leaves, c.browser(issuer, c.login(issuer), c.consent(issuer), c.done()),
		}},
	} {
		out["fapi2-security-profile-final-"+name] = o
	}
	return out
}
