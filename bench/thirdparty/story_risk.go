package thirdparty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// payee and amount of the payment of story 8.
const (
	payee  = "Green Grocers"
	amount = "25.00"
)

// payment orders a payment: the bank wants the person to prove more, and then does it once.
func (t *Stories) payment(ctx context.Context) (*grant, error) {
	fmt.Fprintf(t.W, "\n8. A payment of GBP %s to %s\n", amount, payee)
	detail, err := json.Marshal([]any{map[string]any{
		"type": "payment_initiation", "instructedAmount": map[string]string{"amount": amount, "currency": "GBP"}, "creditorName": payee,
	}})
	if err != nil {
		return nil, err
	}
	asked := url.Values{"scope": {"openid accounts payments"}, "authorization_details": {string(detail)}}
	g, err := t.granted(ctx, "8", asked, false)
	if err != nil {
		return nil, err
	}
	a, err := t.pay(ctx, g)
	if err != nil {
		return nil, err
	}
	acr := regexp.MustCompile(`acr_values="([^"]*)"`).FindStringSubmatch(a.Challenge)
	if err := t.must("8", "the order, at once", a.String(), a.Status == http.StatusUnauthorized && a.Error == "insufficient_user_authentication" && acr != nil); err != nil {
		return nil, err
	}
	fmt.Fprintf(t.W, "  the bank wants              %s\n", acr[1])
	asked.Set("acr_values", acr[1])
	if g, err = t.granted(ctx, "8", asked, false); err != nil {
		return nil, err
	}
	for _, what := range []string{"the order, again", "the same order, sent twice"} {
		if a, err = t.pay(ctx, g); err != nil {
			return nil, err
		}
		if err := t.must("8", what, a.String()+" "+a.Done, a.Status/100 == 2 && a.Done == "done"); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (t *Stories) pay(ctx context.Context, g *grant) (*Answer, error) {
	return t.Client.Order(ctx, "/bank/payments", g.token.AccessToken, map[string]string{
		"payment_id": paymentOf(g), "amount": amount, "currency": "GBP", "payee": payee,
	})
}

// paymentOf names the payment of a grant: the same for the same token.
func paymentOf(g *grant) string { return "tour-" + g.code[:min(16, len(g.code))] }

// copied has somebody elsewhere use what was copied from the client's server: the refresh
// token and the client's own key.
func (t *Stories) copied(ctx context.Context, g *grant) error {
	fmt.Fprintln(t.W, "\n9. The refresh token is stolen, and the client's key with it")
	thief, err := t.Client.Thief()
	if err != nil {
		return err
	}
	thief.From = Elsewhere
	a, err := thief.Renew(ctx, g.token.Refresh)
	if err != nil {
		return err
	}
	t.hold("9", "without the key", a.String(), a.Status == http.StatusUnauthorized || a.Status == http.StatusBadRequest)
	if a, err = t.Client.Renew(ctx, g.token.Refresh); err != nil {
		return err
	}
	t.hold("9", "its owner refreshes", a.String(), a.Status == http.StatusOK)
	whole := *t.Client
	whole.From = Elsewhere
	if a, err = whole.Renew(ctx, g.token.Refresh); err != nil {
		return err
	}
	t.hold("9", "with the key, elsewhere", a.String()+": "+a.Description, a.Status == http.StatusBadRequest && a.Error == "invalid_grant")
	return nil
}

// holiday has the person authorize from a place and a browser of which nothing is known.
func (t *Stories) holiday(ctx context.Context) error {
	fmt.Fprintln(t.W, "\n10. The person is abroad, at a browser that is not theirs")
	p := t.Person
	p.From, p.Agent = t.Abroad, OtherAgent
	defer func() { p.From, p.Agent = Home, "" }()
	g, err := t.granted(ctx, "10", url.Values{}, false)
	if err != nil {
		return err
	}
	t.hold("10", "payments", strings.TrimPrefix(withheld("payments", g.token.Scope), "; "), !strings.Contains(g.token.Scope, "payments"))
	return nil
}

// revoked has an operator end all that a person granted, and sees how long that takes.
func (t *Stories) revoked(ctx context.Context) error {
	if t.Operators == "" {
		return nil
	}
	fmt.Fprintln(t.W, "\n11. The person calls the bank: their phone is lost")
	g, err := t.granted(ctx, "11", url.Values{"scope": {"openid accounts"}}, false)
	if err != nil {
		return err
	}
	begun := time.Now()
	text, err := json.Marshal(map[string]string{"subject": t.Person.Subject, "because": "lost phone", "by": "tour"})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Operators+"/v1/revocations", bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := t.Client.HTTP.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if err := t.must("11", "an operator revokes", resp.Status, resp.StatusCode/100 == 2); err != nil {
		return err
	}
	a := &Answer{Status: http.StatusOK}
	for a.Status == http.StatusOK && time.Since(begun) < time.Minute {
		if a, err = t.Client.Read(ctx, bankAccounts, g.token.AccessToken); err != nil {
			return err
		}
	}
	after := time.Since(begun)
	t.hold("11", "the token at the bank", fmt.Sprintf("%s, %d ms after", a, after.Milliseconds()), a.Status == http.StatusUnauthorized && after < time.Second)
	if a, err = t.Client.Renew(ctx, g.token.Refresh); err != nil {
		return err
	}
	t.hold("11", "the refresh token", a.String(), a.Status == http.StatusBadRequest && a.Error == "invalid_grant")
	return nil
}
