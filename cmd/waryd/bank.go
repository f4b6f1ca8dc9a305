package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/waryauth/wary/authz/resource"
)

// recentDays is how far back transactions go without a stronger authentication: what
// European rules allow a third party to see without one each time (Regulation (EU)
// 2018/389, article 10).
const recentDays = 90

// freshLogin is how recent the stronger authentication must be.
const freshLogin = 5 * time.Minute

// account and transaction are of the bank of the demonstration. All of it is made up,
// and the same for everyone.
type account struct {
	ID       string `json:"account_id"`
	Name     string `json:"name"`
	Currency string `json:"currency"`
	Balance  string `json:"-"`
}

type transaction struct {
	ID     string `json:"transaction_id"`
	Date   string `json:"date"`
	Amount string `json:"amount"`
	Payee  string `json:"payee"`
	days   int    // ago
}

var bankAccounts = [...]account{
	{"everyday", "Everyday account", "GBP", "1204.37"},
	{"savings", "Rainy day savings", "GBP", "8650.00"},
	{"travel", "Travel money", "EUR", "312.55"},
}

var bankTransactions = [...]transaction{
	{ID: "t-1", Amount: "-4.20", Payee: "Harbour Coffee", days: 1},
	{ID: "t-2", Amount: "-52.80", Payee: "Green Grocers", days: 3},
	{ID: "t-3", Amount: "2450.00", Payee: "Salary", days: 20},
	{ID: "t-4", Amount: "-880.00", Payee: "Rent", days: 27},
	{ID: "t-5", Amount: "-119.00", Payee: "City Rail", days: 70},
	{ID: "t-6", Amount: "2450.00", Payee: "Salary", days: 112},
	{ID: "t-7", Amount: "-640.00", Payee: "Winter Holidays", days: 160},
}

// bank serves accounts, balances, transactions and payments at /bank. Older transactions
// and payments want an authentication of the strongest class, a few minutes old: the
// answer says so, and the client sends the person to authenticate again (RFC 9470).
func bank(guard *resource.Verifier, strongest string) http.Handler {
	mux := http.NewServeMux()
	protect := func(pattern string, n resource.Needs, serve http.HandlerFunc) {
		mux.Handle(pattern, guard.Protect(n, serve))
	}
	protect("GET /bank/accounts", resource.Needs{Scopes: []string{"accounts"}}, func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"accounts": bankAccounts})
	})
	protect("GET /bank/accounts/{id}/balance", resource.Needs{Scopes: []string{"balances"}}, func(w http.ResponseWriter, r *http.Request) {
		if a := bankAccount(w, r); a != nil {
			reply(w, map[string]any{"account_id": a.ID, "amount": a.Balance, "currency": a.Currency})
		}
	})
	protect("GET /bank/accounts/{id}/transactions", resource.Needs{Scopes: []string{"transactions"}}, transactions(recentDays))
	paid := &payments{made: map[string]order{}, used: map[string]string{}}
	protect("POST /bank/payments", resource.Needs{Scopes: []string{"payments"}, Detail: paymentType, ACRs: []string{strongest}, MaxAge: freshLogin}, paid.pay)
	protect("GET /bank/accounts/{id}/transactions/all", resource.Needs{Scopes: []string{"transactions"}, ACRs: []string{strongest}, MaxAge: freshLogin},
		transactions(1<<20))
	return mux
}

// bankAccount returns the account that a request names, or answers that there is none.
func bankAccount(w http.ResponseWriter, r *http.Request) *account {
	i := slices.IndexFunc(bankAccounts[:], func(a account) bool { return a.ID == r.PathValue("id") })
	if i < 0 {
		http.Error(w, `{"error":"not_found"}`, http.StatusNotFound)
		return nil
	}
	return &bankAccounts[i]
}

func transactions(days int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := bankAccount(w, r)
		if a == nil {
			return
		}
		now := time.Now()
		out := []transaction{}
		for _, t := range bankTransactions {
			if t.days <= days {
				t.Date = now.AddDate(0, 0, -t.days).Format(time.DateOnly)
				out = append(out, t)
			}
		}
		reply(w, map[string]any{"account_id": a.ID, "currency": a.Currency, "transactions": out})
	}
}

func reply(w http.ResponseWriter, body any) { replyTo(w, http.StatusOK, body) }

func replyTo(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, `{"error":"server_error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client went away
}
