package scoreapi

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/waryauth/wary/signals"
)

// sampleEvery is one in how many requests has the time of each step taken.
const sampleEvery = 16

// score answers POST /v1/score.
func (s *Server) score(ctx *fasthttp.RequestCtx, j *job) *Problem {
	x := &j.x
	x.Reset()
	if p := s.decode(ctx, j); p != nil {
		return p
	}
	x.Sampled = s.requests.Add(1)%sampleEvery == 0
	if err := s.o.Engine.Score(x, s.o.Now()); err != nil {
		return s.problemOf(err)
	}
	j.out = AppendDecision(j.out[:0], &x.Decision, &x.Attempt)
	s.answer(ctx, 200, jsonType, j.out)
	return nil
}

// evaluate answers POST /v1/evaluate.
func (s *Server) evaluate(ctx *fasthttp.RequestCtx, j *job) *Problem {
	x := &j.x
	x.Reset()
	if p := s.decode(ctx, j); p != nil {
		return p
	}
	x.Explained = string(ctx.QueryArgs().Peek("explain")) == "1"
	if err := s.o.Engine.Evaluate(x, s.o.Now()); err != nil {
		return s.problemOf(err)
	}
	if x.Explained {
		j.out = AppendExplained(j.out[:0], x)
	} else {
		j.out = AppendDecision(j.out[:0], &x.Decision, &x.Attempt)
	}
	s.answer(ctx, 200, jsonType, j.out)
	return nil
}

func (s *Server) decode(ctx *fasthttp.RequestCtx, j *job) *Problem {
	body := ctx.PostBody()
	p := j.decoder.Attempt(&j.x.Attempt, body)
	unknownFieldsTotal.Add(j.decoder.Unknown())
	j.x.Body = body
	return p
}

func (s *Server) answer(ctx *fasthttp.RequestCtx, status int, contentType string, body []byte) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType(contentType)
	ctx.Response.SetBody(body)
}

// feedback answers POST /v1/feedback, one document or a batch.
func (s *Server) feedback(ctx *fasthttp.RequestCtx, j *job) *Problem {
	if isBatch(&ctx.Request.Header) {
		return s.feedbackBatch(ctx, j)
	}
	var f signals.Feedback
	if p := s.takeFeedback(j, &f, ctx.PostBody()); p != nil {
		return p
	}
	j.out = append(j.out[:0], `{"feedback_id":`...)
	j.out = appendString(j.out, f.ID)
	j.out = append(j.out, `,"status":"accepted"}`...)
	s.answer(ctx, 202, jsonType, j.out)
	return nil
}

func (s *Server) takeFeedback(j *job, f *signals.Feedback, body []byte) *Problem {
	p := j.decoder.Feedback(f, body)
	unknownFieldsTotal.Add(j.decoder.Unknown())
	if p != nil {
		return p
	}
	if err := s.o.Engine.Feedback(f, s.o.Now()); err != nil {
		return s.problemOf(err)
	}
	return nil
}

// maxLines bounds the lines of a batch, which may each be answered with a problem
// many times their length. MaxBatch does not hold as many that are valid.
const maxLines = 200_000

// lines counts the lines of a batch that are not empty.
func lines(batch []byte) (n int) {
	for line := range bytes.Lines(batch) {
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	return n
}

// feedbackBatch takes a line at a time: every line has its own status.
func (s *Server) feedbackBatch(ctx *fasthttp.RequestCtx, j *job) *Problem {
	body := ctx.PostBody()
	switch n := lines(body); {
	case n == 0:
		return &Problem{Status: 400, Title: "Invalid request", Detail: "The batch is empty."}
	case n > maxLines:
		return &Problem{Status: 413, Title: "Content too large", Detail: "A batch has at most 200,000 lines."}
	}
	var out []byte
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = s.appendLine(out, j, line)
		}
	}
	s.answer(ctx, 200, ndjson, out)
	return nil
}

func (s *Server) appendLine(out []byte, j *job, line []byte) []byte {
	var f signals.Feedback
	var p *Problem
	if len(line) > MaxBody {
		p = &Problem{Status: 413, Title: "Content too large", Detail: "A line is at most 64 KiB."}
	} else {
		p = s.takeFeedback(j, &f, line)
	}
	out = append(out, `{"feedback_id":`...)
	out = appendString(out, f.ID)
	if p == nil {
		return append(out, `,"status":"accepted"}`+"\n"...)
	}
	out = append(out, `,"status":"refused","problem":`...)
	return append(p.Append(out), '}', '\n')
}

// event answers POST /v1/events.
func (s *Server) event(ctx *fasthttp.RequestCtx, j *job) *Problem {
	var e signals.Event
	p := j.decoder.Event(&e, ctx.PostBody())
	unknownFieldsTotal.Add(j.decoder.Unknown())
	if p != nil {
		return p
	}
	if err := s.o.Engine.Event(&e, s.o.Now()); err != nil {
		return s.problemOf(err)
	}
	j.out = append(j.out[:0], `{"event_id":`...)
	j.out = appendString(j.out, e.ID)
	j.out = append(j.out, `,"status":"accepted"}`...)
	s.answer(ctx, 202, jsonType, j.out)
	return nil
}

// receipt answers GET /v1/decisions/{decision_id}.
func (s *Server) receipt(ctx *fasthttp.RequestCtx, j *job) *Problem {
	r, err := s.o.Engine.Receipt(strings.TrimPrefix(string(ctx.Path()), decisionsPath))
	if err != nil {
		return s.problemOf(err)
	}
	j.out = AppendReceipt(j.out[:0], r)
	s.answer(ctx, 200, jsonType, j.out)
	return nil
}

// openAPI answers GET /v1/openapi.json.
func (s *Server) openAPI(ctx *fasthttp.RequestCtx, _ *job) *Problem {
	s.answer(ctx, 200, jsonType, contract)
	return nil
}
