package signoff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Client is a client of a Signoff server. It is safe for concurrent use.
type Client struct {
	// Tasks lists and reads tasks, and acts on one without answering it.
	Tasks *Tasks
	// Directory has the people, teams and policies of the workspace.
	Directory *Directory

	connection *connection
	retries    retries
	log        *slog.Logger
}

// Tasks is the group Client.Tasks.
type Tasks struct{ client *Client }

// Directory is the group Client.Directory.
type Directory struct{ client *Client }

// Option configures a client.
type Option func(*options)

type options struct {
	url, key *string
	timeout  time.Duration
	retryFor time.Duration
	program  string
	http     *http.Client
	log      *slog.Logger
	trace    func(context.Context, http.Header)
}

// WithURL sets the server's address, which may have a path. By default, SIGNOFF_URL is used, or else the nearest
// .signoff/credentials.json.
func WithURL(url string) Option { return func(o *options) { o.url = &url } }

// WithAPIKey sets the key. By default, SIGNOFF_API_KEY or the content of the file SIGNOFF_API_KEY_FILE is used, or else
// the key stored with the address.
func WithAPIKey(key string) Option { return func(o *options) { o.key = &key } }

// WithTimeout sets the time for one request (default 15 s), not counting the time that the server is asked to wait.
func WithTimeout(timeout time.Duration) Option { return func(o *options) { o.timeout = timeout } }

// WithRetryFor sets how long a request that is safe to repeat is retried (default 30 s).
func WithRetryFor(retryFor time.Duration) Option { return func(o *options) { o.retryFor = retryFor } }

// WithProgram sets this program's name in the User-Agent header.
func WithProgram(program string) Option { return func(o *options) { o.program = program } }

// WithHTTPClient sets the HTTP client to use. Redirects are not followed, and its Timeout should be 0, because
// following events takes longer than any timeout.
func WithHTTPClient(client *http.Client) Option { return func(o *options) { o.http = client } }

// WithLogger sets the logger for warnings and notices; the default is slog.Default().
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithTracing adds the headers of the current trace, traceparent and tracestate, to each request; ctx is the context of
// the call. With OpenTelemetry:
//
//	func(ctx context.Context, header http.Header) {
//		otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(header))
//	}
func WithTracing(inject func(ctx context.Context, header http.Header)) Option {
	return func(o *options) { o.trace = inject }
}

// New creates a client. The server and the key are the first ones found in the options, the environment (SIGNOFF_URL,
// SIGNOFF_API_KEY, SIGNOFF_API_KEY_FILE), .signoff/credentials.json in this folder or one of its parents, and the
// user's configuration folder. A key from a file is only sent to the address in the same file. If nothing is found, the
// error is a *NotConfiguredError.
func New(opts ...Option) (*Client, error) {
	o := options{timeout: 15 * time.Second, retryFor: 30 * time.Second, program: programName, log: slog.Default()}
	for _, option := range opts {
		option(&o)
	}
	if o.timeout <= 0 || o.retryFor < 0 {
		return nil, errors.New("signoff: the timeout must be positive, and the time for retries not negative")
	}
	folder, err := os.Getwd()
	if err != nil {
		folder = ""
	}
	found, err := findSettings(o.url, o.key, os.Getenv, folder)
	if err != nil {
		return nil, err
	}
	client := &Client{
		connection: newConnection(found, o.program, o.http, o.trace),
		retries:    retries{o.timeout, o.retryFor},
		log:        o.log,
	}
	client.Tasks, client.Directory = &Tasks{client}, &Directory{client}
	return client, nil
}

// URL is the address of the server.
func (c *Client) URL() string { return c.connection.settings.url }

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.connection.http.CloseIdleConnections() }

// Format prints the client without its key, for any verb.
func (c *Client) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "signoff.Client{URL:%q, APIKey:[hidden]}", c.URL())
}

// String returns the client without its key.
func (c *Client) String() string { return fmt.Sprint(c) }

// LogValue returns the client without its key.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Call sends any request of the HTTP API, for endpoints that have no method in this package. body, if it is not nil, is
// encoded as JSON; the response is stored in out, unless that is nil. Without WithIdempotencyKey, only a GET is retried
// after a lost response. The caller must escape the segments of the path.
func (c *Client) Call(
	ctx context.Context, method, path string, query url.Values, body, out any, opts ...CallOption,
) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("signoff: the path %q must begin with a slash", path) // otherwise it could be part of the host
	}
	one := &call{method: method, path: path, query: query}
	if body != nil {
		content, err := encoded(body)
		if err != nil {
			return err
		}
		one.body = content
	}
	if len(opts) > 0 {
		key, err := keyOf(opts)
		if err != nil {
			return err
		}
		one.key = key
	}
	answer, err := c.do(ctx, one)
	if err != nil || out == nil {
		return err
	}
	return answer.Decode(out)
}

func (c *Client) do(ctx context.Context, one *call) (Object, error) {
	return c.connection.perform(ctx, one, c.retries, mayRepeat)
}

// persist performs a safe call until the context ends, across outages and restarts of the server.
func (c *Client) persist(ctx context.Context, one *call, passing func(error) bool) (Object, error) {
	return c.connection.perform(ctx, one, retries{c.retries.timeout, math.MaxInt64 / 4}, passing)
}

// SendIntent submits an intent; returns its id. It is durable when this returns, and created only once even if
// responses are lost. Warnings from the server, for example that no agent is connected at that address, are logged.
func (c *Client) SendIntent(ctx context.Context, intent IntentRequest, opts ...CallOption) (string, error) {
	one, err := post("/v1/intents", given(intent))
	if err != nil {
		return "", err
	}
	if one.key, err = keyOf(opts); err != nil {
		return "", err
	}
	return c.submitted(ctx, one)
}

// submitted makes a call that creates an intent; returns its id after logging the warnings.
func (c *Client) submitted(ctx context.Context, one *call) (string, error) {
	id, warnings, err := c.submission(ctx, one)
	for _, warning := range warnings {
		c.log.WarnContext(ctx, warning, "intent_id", id)
	}
	return id, err
}

// submission makes a call that creates an intent; returns its id, and warnings for its sender.
func (c *Client) submission(ctx context.Context, one *call) (string, []string, error) {
	answer, err := c.do(ctx, one)
	if err != nil {
		return "", nil, err
	}
	id := textOr(answer["intent_id"], textOr(inner(answer, "intent")["intent_id"], ""))
	if id == "" {
		return "", nil, notSignoff(http.StatusOK, []byte("a submission without an id"))
	}
	return id, readList[string](answer, "warnings"), nil
}

// GetIntent returns the current state of the intent.
func (c *Client) GetIntent(ctx context.Context, intentID string) (*Intent, error) {
	return fetch[Intent](ctx, c, "intent", "/v1/intents/%s", intentID)
}

// fetch gets one record: the object under a name, or the whole response.
func fetch[T any](ctx context.Context, c *Client, name, path string, ids ...string) (*T, error) {
	whole, err := pathWith(path, ids...)
	if err != nil {
		return nil, err
	}
	answer, err := c.do(ctx, get(whole, nil))
	if err != nil {
		return nil, err
	}
	record := read[T](map[string]any(inner(answer, name)))
	return &record, nil
}

// fetchList gets the list under a name.
func fetchList[T any](
	ctx context.Context, c *Client, name string, query url.Values, path string, ids ...string,
) ([]T, error) {
	whole, err := pathWith(path, ids...)
	if err != nil {
		return nil, err
	}
	answer, err := c.do(ctx, get(whole, query))
	if err != nil {
		return nil, err
	}
	return readList[T](answer, name), nil
}

// send makes a call with a body and reads the record under a name, or the whole response.
func send[T any](ctx context.Context, c *Client, name string, one *call) (*T, error) {
	answer, err := c.do(ctx, one)
	if err != nil {
		return nil, err
	}
	record := read[T](map[string]any(inner(answer, name)))
	return &record, nil
}

// keyed is a POST with a new idempotency key.
func keyed(body any, path string, ids ...string) (*call, error) {
	whole, err := pathWith(path, ids...)
	if err != nil {
		return nil, err
	}
	one, err := post(whole, body)
	if err != nil {
		return nil, err
	}
	one.key = freshKey()
	return one, nil
}

// gather returns the first items of a list, from as many pages as needed.
func gather[T any](ctx context.Context, c *Client, name, path string, query url.Values, limit int) ([]T, error) {
	found := []T{}
	for cursor := ""; len(found) < limit; {
		query.Set("limit", strconv.Itoa(limit-len(found)))
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		answer, err := c.do(ctx, get(path, query))
		if err != nil {
			return nil, err
		}
		found = append(found, readList[T](answer, name)...)
		next, _ := textOf(answer["next_cursor"])
		if next == "" || next == cursor {
			break
		}
		cursor = next
	}
	return found[:min(limit, len(found))], nil
}

// IntentQuery selects intents.
type IntentQuery struct {
	// Status is one status, several separated by commas, or "pending".
	Status        string
	IntentType    string
	CorrelationID string
	// Search is a list of words that must all occur in what is shown of an intent.
	Search string
	// Limit is the maximum number of intents; 0 means 50.
	Limit int
}

// ListIntents returns the newest intents.
func (c *Client) ListIntents(ctx context.Context, q IntentQuery) ([]Intent, error) {
	query := queryOf("status", q.Status, "intent_type", q.IntentType, "correlation_id", q.CorrelationID, "q", q.Search)
	return gather[Intent](ctx, c, "intents", "/v1/intents", query, limitOr(q.Limit, 50))
}

func limitOr(limit, other int) int {
	if limit <= 0 {
		return other
	}
	return limit
}

// Events returns the intent's events after since, up to now.
func (c *Client) Events(ctx context.Context, intentID string, since int) ([]Event, error) {
	query := url.Values{"since": {strconv.Itoa(since)}}
	return fetchList[Event](ctx, c, "events", query, "/v1/intents/%s/events", intentID)
}

// Cancel cancels the intent; it returns ErrConflict if the intent is already final. An empty reason is "canceled".
func (c *Client) Cancel(ctx context.Context, intentID, reason string) (*Intent, error) {
	if reason == "" {
		reason = "canceled"
	}
	one, err := keyed(Object{"status": "CANCELED", "reason": reason}, "/v1/intents/%s/resolve", intentID)
	if err != nil {
		return nil, err
	}
	return send[Intent](ctx, c, "intent", one)
}

// Retry submits the same content again; returns the new intent's id.
func (c *Client) Retry(ctx context.Context, intentID string, opts ...CallOption) (string, error) {
	one, err := keyed(Object{}, "/v1/intents/%s/retry", intentID)
	if err != nil {
		return "", err
	}
	if one.key, err = keyOf(opts); err != nil {
		return "", err
	}
	return c.submitted(ctx, one)
}

// Rerun reruns the step that failed after an approval, once, under the same decision; returns the new intent's id.
// ErrConflict means that people have to be asked again: then use Retry.
func (c *Client) Rerun(ctx context.Context, intentID string) (string, error) {
	one, err := keyed(Object{}, "/v1/intents/%s/rerun", intentID)
	if err != nil {
		return "", err
	}
	// An intent is rerun once: a second call gets the same new intent.
	one.key, one.repeatable = "", true
	return c.submitted(ctx, one)
}

// Use uses the outcome of a final intent, once, before acting on it. use is your own name for this use; the call may be
// repeated with the same name, for example after a crash. ErrAlreadyUsed means that another use was first.
func (c *Client) Use(ctx context.Context, intentID, use string) error {
	one, err := keyed(Object{"use": use}, "/v1/intents/%s/use", intentID)
	if err != nil {
		return err
	}
	one.key, one.repeatable = "", true
	answer, err := c.do(ctx, one)
	if err != nil {
		return err
	}
	// Accept the outcome only if the response names this very use: a proxy may answer for the server, or repeat an old
	// answer.
	switch said, there := answer["use"]; {
	case !there:
		return notSignoff(http.StatusOK, []byte(canonicalJSON(answer)))
	case said != use:
		return &WrongResponseError{fmt.Sprintf("Asked to use the outcome of intent %s, got a response to another use.", intentID)}
	}
	return nil
}

// Messages returns the messages sent about an intent, and their delivery status.
func (c *Client) Messages(ctx context.Context, intentID string) ([]Message, error) {
	return fetchList[Message](ctx, c, "messages", nil, "/v1/intents/%s/messages", intentID)
}

// Audit returns the intent's whole history with its hash chain.
func (c *Client) Audit(ctx context.Context, intentID string) (*AuditTrail, error) {
	return fetch[AuditTrail](ctx, c, "", "/v1/intents/%s/audit", intentID)
}

// ApplyScenario starts a scenario bundle: it creates the bundle's agents, plan and intent.
func (c *Client) ApplyScenario(ctx context.Context, bundle Object, opts ...CallOption) (*AppliedScenario, error) {
	one, err := post("/v1/scenarios/apply", bundle)
	if err != nil {
		return nil, err
	}
	if key := textOr(bundle["idempotency_key"], ""); key != "" && len(opts) == 0 {
		opts = []CallOption{WithIdempotencyKey(key)}
	}
	if one.key, err = keyOf(opts); err != nil {
		return nil, err
	}
	return send[AppliedScenario](ctx, c, "", one)
}

// ValidateScenario checks a scenario bundle; nothing is created.
func (c *Client) ValidateScenario(ctx context.Context, bundle Object) (*ScenarioCheck, error) {
	one, err := post("/v1/scenarios/validate", bundle)
	if err != nil {
		return nil, err
	}
	one.repeatable = true
	return send[ScenarioCheck](ctx, c, "", one)
}

// ApplyWorkflow applies a workflow, written as in its file, to its intent type.
func (c *Client) ApplyWorkflow(ctx context.Context, template Object) (*AppliedWorkflow, error) {
	return c.applyWorkflow(ctx, template, false)
}

// CheckWorkflow checks a workflow and reports whether it differs from the active one; nothing is applied.
func (c *Client) CheckWorkflow(ctx context.Context, template Object) (*AppliedWorkflow, error) {
	return c.applyWorkflow(ctx, template, true)
}

func (c *Client) applyWorkflow(ctx context.Context, template Object, dryRun bool) (*AppliedWorkflow, error) {
	one, err := post("/v1/workflows", template)
	if err != nil {
		return nil, err
	}
	// Repeatable without a key: applying the same template again changes nothing.
	one.query, one.repeatable = queryOf("dry_run", truth(dryRun)), true
	return send[AppliedWorkflow](ctx, c, "", one)
}

// Workflows returns the active workflows.
func (c *Client) Workflows(ctx context.Context) ([]Workflow, error) {
	return fetchList[Workflow](ctx, c, "workflows", nil, "/v1/workflows")
}

// Agents returns the registered agents.
func (c *Client) Agents(ctx context.Context) ([]Account, error) {
	return fetchList[Account](ctx, c, "agents", nil, "/v1/agents")
}

// KillAgent kills an agent (name or address): it gets no work, and nothing that it sends is accepted, until it is
// resumed. Only owners and admins may do this.
func (c *Client) KillAgent(ctx context.Context, agent string) (*AgentHealth, error) {
	return c.killSwitch(ctx, agent, "kill")
}

// ResumeAgent resumes a killed agent: it gets the work that has waited for it.
func (c *Client) ResumeAgent(ctx context.Context, agent string) (*AgentHealth, error) {
	return c.killSwitch(ctx, agent, "resume")
}

func (c *Client) killSwitch(ctx context.Context, agent, act string) (*AgentHealth, error) {
	address, err := agentPath(agent)
	if err != nil {
		return nil, err
	}
	one, err := post("/v1/mesh/agents/"+address+"/"+act, Object{})
	if err != nil {
		return nil, err
	}
	// Repeatable without a key: both set a state.
	one.repeatable = true
	return send[AgentHealth](ctx, c, "agent", one)
}

// NewKey says for whom to create a key: exactly one of Agent (name or address), Service (name) and Person (e-mail).
// A missing holder is created; Name and Roles are for a new person.
type NewKey struct {
	Agent   string   `json:"agent"`
	Service string   `json:"service"`
	Person  string   `json:"person"`
	Name    string   `json:"name"`
	Roles   []string `json:"roles"`
	// ExpiresIn is how long the key is valid; 0 means that it does not expire.
	ExpiresIn time.Duration
}

// CreateKey creates a key for an agent, a service or a person. Only this result contains the secret.
func (c *Client) CreateKey(ctx context.Context, key NewKey) (*Key, error) {
	body := given(key)
	holders := 0
	for _, name := range []string{"agent", "service", "person"} {
		if _, there := body[name]; there {
			holders++
		}
	}
	if holders != 1 {
		return nil, errors.New("signoff: CreateKey takes exactly one of Agent, Service and Person")
	}
	if key.ExpiresIn != 0 {
		body["expires_in_seconds"] = key.ExpiresIn.Seconds()
	}
	one, err := post("/v1/keys", body)
	if err != nil {
		return nil, err
	}
	return send[Key](ctx, c, "", one)
}

// RevokeKey revokes a key immediately.
func (c *Client) RevokeKey(ctx context.Context, keyID string) error {
	one, err := keyed(Object{}, "/v1/keys/%s/revoke", keyID)
	if err != nil {
		return err
	}
	one.key, one.repeatable = "", true
	_, err = c.do(ctx, one)
	return err
}

// Me returns the actor of this client's key, and its workspace.
func (c *Client) Me(ctx context.Context) (*Me, error) { return fetch[Me](ctx, c, "", "/v1/me") }

// Health reports whether the server responds, and its version.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	return fetch[Health](ctx, c, "", "/health")
}

// Format prints the key without its secret, for any verb.
func (k Key) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, k.String()) }

// String returns the key without its secret.
func (k Key) String() string {
	return fmt.Sprintf("signoff.Key{Kind:%q, Address:%q, KeyID:%q, APIKey:[hidden]}", k.Kind, k.Address, k.KeyID)
}

// LogValue returns the key without its secret.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
