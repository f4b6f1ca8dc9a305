// Package echo answers: what is the least that an HTTP server can do with these bytes?
//
// It is the floor that the score API is measured against: the same HTTP library,
// the same request, and an answer that is the request's own body. Nothing is
// decoded, known or kept.
package echo

import "github.com/valyala/fasthttp"

// Answer answers a POST with its own body.
func Answer(ctx *fasthttp.RequestCtx) {
	if !ctx.IsPost() {
		ctx.Error("Use POST.", fasthttp.StatusMethodNotAllowed)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(ctx.PostBody())
}
