package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/resource"
)

// paymentType is the type of the authorization detail that a payment needs (RFC 9396,
// section 2).
const paymentType = "payment_initiation"

// Bounds of payments. All of them are kept while the daemon runs: it is a demonstration.
const (
	maxPayment  = 4 << 10 // bytes of a request
	maxPayments = 4096
)

// order is a payment that is asked for. Its id is of the client's choosing: the same
// again is the same payment.
type order struct{ id, amount, currency, payee string }

// consented is what a person allowed, as their token says.
type consented struct {
	Instructed struct {
		Amount   string `json:"amount"`
		Currency string `json:"currency"`
	} `json:"instructedAmount"`
	Payee string `json:"creditorName"`
}

// payments are those that were made: each once, and one for each authorization detail.
type payments struct {
	mu   sync.Mutex
	made map[string]order  // by client, person and payment id
	used map[string]string // grant and detail: the payment's key
}

// pay makes a payment that the token's authorization detail names to the penny, once.
// The verifier has seen to scope, detail and a fresh strong authentication.
func (p *payments) pay(w http.ResponseWriter, r *http.Request) {
	o, ok := readOrder(w, r)
	if !ok {
		refusePayment(w, http.StatusBadRequest, "invalid_request")
		return
	}
	t := resource.Token(r)
	detail := o.allowed(t)
	if detail == "" {
		refusePayment(w, http.StatusForbidden, "not_authorized") // by this token: its detail is another payment's
		return
	}
	key := t.ClientID + "\x00" + t.Subject + "\x00" + o.id
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, done := p.made[key]; done {
		if before != *o {
			refusePayment(w, http.StatusConflict, "payment_id_reused")
			return
		}
		replyTo(w, http.StatusOK, o.receipt())
		return
	}
	grant, _, _ := strings.Cut(t.ID, ".")
	switch once := grant + "\x00" + detail; {
	case p.used[once] != "":
		refusePayment(w, http.StatusForbidden, "already_paid")
	case len(p.made) >= maxPayments:
		refusePayment(w, http.StatusServiceUnavailable, "bank_closed")
	default:
		p.made[key], p.used[once] = *o, key
		replyTo(w, http.StatusCreated, o.receipt())
	}
}

func (o *order) receipt() map[string]string {
	return map[string]string{"payment_id": o.id, "status": "done", "amount": o.amount, "currency": o.currency, "payee": o.payee}
}

// allowed returns the detail of a token that names just this payment, or "".
func (o *order) allowed(t *authz.Token) string {
	for _, raw := range resource.Details(t, paymentType) {
		var c consented
		if json.Unmarshal(raw, &c) == nil && c.Payee == o.payee && c.Instructed.Currency == o.currency && pence(c.Instructed.Amount) == pence(o.amount) {
			return string(raw)
		}
	}
	return ""
}

// Forms of what an order says.
const (
	idForm       = `^[A-Za-z0-9_-]{1,64}$`
	amountForm   = `^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$`
	currencyForm = `^[A-Z]{3}$`
)

// pence writes an amount with both digits behind the point; what is no amount equals none.
func pence(amount string) string {
	if !fits(amountForm, amount) {
		return "none: " + amount
	}
	whole, part, _ := strings.Cut(amount, ".")
	return whole + "." + (part + "00")[:2]
}

func fits(form, text string) bool {
	ok, err := regexp.MatchString(form, text)
	return ok && err == nil
}

// readOrder reads the body of a payment strictly.
func readOrder(w http.ResponseWriter, r *http.Request) (*order, bool) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayment))
	if err != nil {
		return nil, false
	}
	m, err := texts(text, maxPayment, "payment_id", "amount", "currency", "payee")
	o := &order{m["payment_id"], m["amount"], m["currency"], m["payee"]}
	return o, err == nil && fits(idForm, o.id) && fits(amountForm, o.amount) && strings.Trim(o.amount, "0.") != "" && fits(currencyForm, o.currency) && plain(o.payee, 140)
}

func refusePayment(w http.ResponseWriter, status int, code string) {
	replyTo(w, status, map[string]string{"error": code})
}
