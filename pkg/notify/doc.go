// Package notify tells whoever runs this installation what needs a person: a connection that
// is lost, runs that failed or are held, a shop that has fallen silent, and what a day came
// to. By a webhook, signed as Standard Webhooks has it, by e-mail, or by both.
//
// What is to be told is found once a minute by whichever worker process has the lock, and
// written into the outbox (table notifications) in the transaction that notes it as told
// (notification_marks): it is neither lost nor doubled, wherever a process dies. Sending is
// at least once, under an id that stays. What is alike is one message: never one a run. No
// message holds personal data: names of shops, counts, reasons, and a link.
package notify
