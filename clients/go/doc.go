// Package signoff is the Go client of Signoff: durable execution with human approval built in.
//
// A program submits a request, called an intent. Signoff holds it while everything else may crash and restart, gives
// its checks to agents, asks the people who may decide, and keeps an audit trail:
//
//	client, err := signoff.New() // finds the local server, or SIGNOFF_URL + SIGNOFF_API_KEY
//	id, err := client.SendIntent(ctx, signoff.IntentRequest{
//		IntentType: "intent.infra.change_approval.v1",
//		Payload:    map[string]any{"migration": "add_index_users_email"},
//	})
//	result, err := client.WaitFor(ctx, id) // survives restarts of everything, for days
//	if err := result.Err(); err != nil {   // nil only if the request is COMPLETED
//		return err
//	}
//
// # Agents
//
// An [Agent] does the work of agent steps. Its handlers run under a lease that is renewed while they run:
//
//	agent, err := signoff.NewAgent("infra-validator")
//	agent.Handle("intent.infra.change_approval.v1", func(ctx context.Context, d *signoff.Delivery) (any, error) {
//		return map[string]any{"risk": "low"}, nil
//	})
//	err = agent.Run(ctx) // until ctx is done; then running handlers finish
//
// # Gates
//
// A [Gate] runs a function only after people have approved exactly this call:
//
//	gate, err := signoff.NewGate(client, "intent.payments.refund.v1", payBack, nil)
//	receipt, err := gate.Call(ctx, Refund{Order: "A-4721", Amount: 420})
//
// # Errors
//
// A refusal by the server is an [*Error], which [errors.Is] compares with ErrNotFound, ErrConflict and the like. If
// there is no response at all, the error is a [*ConnectionError]. For an intent that ended without being completed,
// [Result.Err] returns a [*RejectedError], [*ExpiredError], [*WithdrawnError], [*SupersededError],
// [*UndeliverableError], [*CanceledError], [*TimedOutError] or, for all of them, a [*FailedError]. A gated call returns
// them too, and an [*InvalidEditError] if what people approved does not fit it.
//
// # Retries
//
// Every write that the server can recognize carries an idempotency key, created once per call, and is retried with it
// after a lost response, 429, 502, 503 and 504, with a jittered backoff in addition to Retry-After. Waiting for a
// result and following events continue across outages until the context ends.
//
// The package uses the standard library only.
package signoff
