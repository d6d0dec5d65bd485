// Package ingress is the front door: what the shop's modules call.
//
//	route                                       who calls, when                 a repeat
//	POST /webhooks/magento/{tenant}/{event}     the shop's cron, once an event  same run id, no new job
//	GET  /v1/status                             the shop's client               reads again
//	GET  /v1/tile/health                        the shop's admin, every 30 s    reads again
//	POST /v1/tenant/disconnect                  the merchant, in the shop       same answer, revokes nothing
//
// The shop dead-letters an event at any 4xx and sends it again after any 5xx. So a
// 4xx is for what can never succeed as it was sent, and everything that is not
// the caller's fault (the database away, no connection free, a stop, a body
// that broke off, a panic) is 503 with Retry-After; never 429. Where it is not
// known whether T1 was committed the answer is 503 too: the shop sends again
// and is answered as a repeat.
//
// What looks like the shop's but came under a wrong address (astray.go) is 503
// too; a 404 is for strangers.
//
// Every refusal is an RFC 9457 problem, written in problem.go only.
package ingress
