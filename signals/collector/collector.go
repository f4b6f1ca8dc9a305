// Package collector answers: what does a login page measure of how it is filled in?
//
// [Script] is what the page embeds: a few kilobytes of JavaScript without
// dependencies, made of the TypeScript in src. Once the person has consented it
// measures typing, pointer and form, and what a page can see of the device, and
// fills a field of the form with them: members device and behaviour of a score
// request. It sends nothing itself. Of typing it tells the 78 statistics of
// [github.com/waryauth/wary/signals/typing.Summarize], never a key.
//
// docs/collector.md says how to embed it, what leaves the page, and what it is worth.
package collector

import _ "embed" // for Script

// Version is behaviour.collector of what Script measures. It changes when a number
// comes to mean something else.
const Version = "1.0"

// Script is the bundle, to be served as text/javascript. Do not write to it.
//
//go:embed collector.js
var Script []byte
