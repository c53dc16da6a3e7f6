package signoff

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The server stores no responses for idempotency keys in the directory, so a call that sets a state may be repeated,
// but not one that creates or ends something.

// People returns all people, by address.
func (d *Directory) People(ctx context.Context) ([]Person, error) {
	return fetchList[Person](ctx, d.client, "people", nil, "/v1/people")
}

// AddPerson adds a person. fields may be nil: name, roles, zone, hours, addresses, absences, preferences. Warnings say
// what else the change does, for example that self-approval has ended.
func (d *Directory) AddPerson(ctx context.Context, email string, fields Object) (*Person, []string, error) {
	body := Object{"email": email}
	for name, value := range fields {
		body[name] = value
	}
	return warned[Person](ctx, d, http.MethodPost, "person", body, false, "/v1/people")
}

// ChangePerson updates a person (address or id); omitted fields are unchanged. Warnings say which open tasks the change
// leaves understaffed.
func (d *Directory) ChangePerson(ctx context.Context, who string, fields Object) (*Person, []string, error) {
	return warned[Person](ctx, d, http.MethodPatch, "person", fields, true, "/v1/people/%s", who)
}

// Sessions returns the sessions of a person (address or id, or "me"); owners and admins may list those of others.
func (d *Directory) Sessions(ctx context.Context, who string) ([]Session, error) {
	return fetchList[Session](ctx, d.client, "sessions", nil, "/v1/people/%s/sessions", who)
}

// EndSessions signs a person (address or id, or "me") out of all sessions; returns how many ended.
func (d *Directory) EndSessions(ctx context.Context, who string) (int, error) {
	return d.endSessions(ctx, "/v1/people/%s/sessions/end", who)
}

// EndSession signs a person out of one session; returns how many ended.
func (d *Directory) EndSession(ctx context.Context, who, sessionID string) (int, error) {
	return d.endSessions(ctx, "/v1/people/%s/sessions/%s/end", who, sessionID)
}

func (d *Directory) endSessions(ctx context.Context, path string, ids ...string) (int, error) {
	answer, err := d.write(ctx, http.MethodPost, Object{}, false, path, ids...)
	if err != nil {
		return 0, err
	}
	return read[struct {
		Ended int `json:"ended"`
	}](map[string]any(answer)).Ended, nil
}

// OpenTasksOf returns the open tasks that a person (address or id) may answer.
func (d *Directory) OpenTasksOf(ctx context.Context, who string) (*OpenTasks, error) {
	return fetch[OpenTasks](ctx, d.client, "", "/v1/people/%s/waiting", who)
}

// ReassignAll replaces a person with another in every open task that asks them.
func (d *Directory) ReassignAll(ctx context.Context, who, to, comment string) (*ReassignedAll, error) {
	body := Object{"to": to, "comment": comment}
	return write[ReassignedAll](ctx, d, http.MethodPost, "", body, false, "/v1/people/%s/reassign", who)
}

// ErasePerson erases the text of a removed person (id, or their former address). Waiting in the result: open requests
// that still contain comments; repeat the call when those requests are final.
func (d *Directory) ErasePerson(ctx context.Context, who string) (*ErasedPerson, error) {
	return write[ErasedPerson](ctx, d, http.MethodPost, "", Object{}, true, "/v1/people/%s/erase", who)
}

// Manifest returns the current configuration, as a document for Apply.
func (d *Directory) Manifest(ctx context.Context) (Object, error) {
	answer, err := d.client.do(ctx, get("/v1/export/manifest", nil))
	if err != nil {
		return nil, err
	}
	return inner(answer, "manifest"), nil
}

// Export returns one page of all "intents" or of the whole "audit", oldest first: its records, and next_cursor if there
// are more. Query may have cursor, since and changed_since (RFC 3339) and bodies.
func (d *Directory) Export(ctx context.Context, what string, query url.Values) (Object, error) {
	path, err := pathWith("/v1/export/%s", what)
	if err != nil {
		return nil, err
	}
	answer, err := d.client.do(ctx, get(path, query))
	return Object(answer), err
}

// Workspaces returns the key's own workspace and, for an owner's key, the others of its organization.
func (d *Directory) Workspaces(ctx context.Context) ([]Workspace, error) {
	return fetchList[Workspace](ctx, d.client, "workspaces", nil, "/v1/workspaces")
}

// CreateWorkspace creates a workspace in the key's organization. owner, the address of its first owner, and their name
// default to the caller's if "". If the owner is the caller, the result contains their key as api_key, shown once.
func (d *Directory) CreateWorkspace(ctx context.Context, name, owner, ownerName string) (Object, error) {
	body := with(with(Object{"name": name}, "owner", owner), "owner_name", ownerName)
	return d.write(ctx, http.MethodPost, body, false, "/v1/workspaces")
}

// RenameWorkspace renames the key's own workspace; "" keeps that part.
func (d *Directory) RenameWorkspace(ctx context.Context, id, name, organization string) (*Workspace, error) {
	body := with(with(Object{}, "name", name), "organization", organization)
	return write[Workspace](ctx, d, http.MethodPatch, "workspace", body, true, "/v1/workspaces/%s", id)
}

// TestMessages returns the test messages to a person (address or id, or "me") within the last week, the newest first.
func (d *Directory) TestMessages(ctx context.Context, who string) ([]Message, error) {
	return fetchList[Message](ctx, d.client, "messages", nil, "/v1/people/%s/test-messages", who)
}

// SendTestMessage sends a test message to a person (address or id, or "me"); channel "" means the one that is tried
// first.
func (d *Directory) SendTestMessage(ctx context.Context, who, channel string) (*Message, error) {
	body := with(Object{}, "channel", channel)
	return write[Message](ctx, d, http.MethodPost, "message", body, false, "/v1/people/%s/test-messages", who)
}

// UnderstaffedTasks are the open tasks with too few eligible people left.
func (d *Directory) UnderstaffedTasks(ctx context.Context) (*UnderstaffedTasks, error) {
	return fetch[UnderstaffedTasks](ctx, d.client, "", "/v1/tasks/understaffed")
}

// Teams returns all teams, with who is on call.
func (d *Directory) Teams(ctx context.Context) ([]Team, error) {
	return fetchList[Team](ctx, d.client, "teams", nil, "/v1/teams")
}

// TeamRequest is a team to create or replace.
type TeamRequest struct {
	// Members are addresses or ids.
	Members []string `json:"members"`
	// Rotation, which may be nil, has order, handover ("mon 09:00"), zone and anchor.
	Rotation Object `json:"rotation"`
	// Channel is "slack:ID" or another chat's room, Mailbox an address; the team's tasks are also sent there.
	Channel string `json:"channel"`
	Mailbox string `json:"mailbox"`
}

// SetTeam creates or replaces a team: omitted fields are removed from it. Warnings say which open tasks the change
// leaves understaffed.
func (d *Directory) SetTeam(ctx context.Context, name string, team TeamRequest) (*Team, []string, error) {
	body := given(team)
	body["members"] = append([]string{}, team.Members...)
	return warned[Team](ctx, d, http.MethodPut, "team", body, true, "/v1/teams/%s", name)
}

// Policies returns all named policies.
func (d *Directory) Policies(ctx context.Context) ([]Policy, error) {
	return fetchList[Policy](ctx, d.client, "policies", nil, "/v1/policies")
}

// SetPolicy creates or replaces a policy; open tasks keep the policy that they started with.
func (d *Directory) SetPolicy(ctx context.Context, name string, policy Object) (*Policy, error) {
	body := Object{"name": name, "policy": policy}
	return write[Policy](ctx, d, http.MethodPost, "policy", body, true, "/v1/policies")
}

// ExplainPolicy returns who may decide a task under the policy, and the scheduled contacts, if it opened at the given
// time; the zero time means now.
func (d *Directory) ExplainPolicy(ctx context.Context, name string, at time.Time) (*Explanation, error) {
	path, err := pathWith("/v1/policies/%s/explain", name)
	if err != nil {
		return nil, err
	}
	one := get(path, nil)
	if !at.IsZero() {
		one.query = queryOf("at", at.Format(time.RFC3339Nano))
	}
	return send[Explanation](ctx, d.client, "", one)
}

// Plan reports what Apply would change. Pass its Seen to Apply to make exactly these changes or none.
func (d *Directory) Plan(ctx context.Context, document Object) (*AppliedManifest, error) {
	return d.apply(ctx, document, queryOf("dry_run", "true"))
}

// Apply applies people, teams, policies and workflows, all or nothing. seen comes from Plan, or is "": ErrConflict
// (stale_manifest) means that the result would now be different.
func (d *Directory) Apply(ctx context.Context, document Object, seen string) (*AppliedManifest, error) {
	return d.apply(ctx, document, queryOf("seen", seen))
}

func (d *Directory) apply(ctx context.Context, document Object, query url.Values) (*AppliedManifest, error) {
	one, err := post("/v1/apply", document)
	if err != nil {
		return nil, err
	}
	// Repeatable without a key: applying it again changes nothing.
	one.query, one.repeatable = query, true
	return send[AppliedManifest](ctx, d.client, "", one)
}

// ChangeQuery selects entries of the change log.
type ChangeQuery struct {
	// About is a subject, such as policy:NAME or person:EMAIL.
	About string
	// Before selects only entries with a lower Number; 0 means all.
	Before int
	// Limit is the maximum number of entries; 0 means 50.
	Limit int
}

// Changes returns the change log, newest first.
func (d *Directory) Changes(ctx context.Context, q ChangeQuery) ([]RecordedChange, error) {
	query := queryOf("limit", strconv.Itoa(limitOr(q.Limit, 50)), "about", q.About)
	if q.Before > 0 {
		query.Set("cursor", strconv.Itoa(q.Before))
	}
	return fetchList[RecordedChange](ctx, d.client, "changes", query, "/v1/changes")
}

// Channels returns the delivery status of each channel (for owners and admins).
func (d *Directory) Channels(ctx context.Context) ([]Channel, error) {
	return fetchList[Channel](ctx, d.client, "channels", nil, "/v1/channels")
}

// Proposals returns the proposals that wait for a second admin in a protected workspace, newest first.
func (d *Directory) Proposals(ctx context.Context) ([]Proposal, error) {
	return fetchList[Proposal](ctx, d.client, "proposals", nil, "/v1/proposals")
}

// Proposal returns one proposal: what it would change, and how it ended.
func (d *Directory) Proposal(ctx context.Context, proposalID string) (*Proposal, error) {
	return fetch[Proposal](ctx, d.client, "proposal", "/v1/proposals/%s", proposalID)
}

// Confirm confirms and applies another admin's proposal.
func (d *Directory) Confirm(ctx context.Context, proposalID string) (*Proposal, error) {
	return write[Proposal](ctx, d, http.MethodPost, "proposal", Object{}, false, "/v1/proposals/%s/confirm", proposalID)
}

// Refuse refuses a proposal, or withdraws your own.
func (d *Directory) Refuse(ctx context.Context, proposalID string) (*Proposal, error) {
	return write[Proposal](ctx, d, http.MethodPost, "proposal", Object{}, false, "/v1/proposals/%s/refuse", proposalID)
}

func (d *Directory) write(
	ctx context.Context, method string, body Object, repeatable bool, path string, ids ...string,
) (Object, error) {
	one, err := keyed(body, path, ids...)
	if err != nil {
		return nil, err
	}
	one.method, one.key, one.repeatable = method, "", repeatable
	return d.client.do(ctx, one)
}

func write[T any](
	ctx context.Context, d *Directory, method, name string, body Object, repeatable bool, path string, ids ...string,
) (*T, error) {
	answer, err := d.write(ctx, method, body, repeatable, path, ids...)
	if err != nil {
		return nil, err
	}
	record := read[T](map[string]any(inner(answer, name)))
	return &record, nil
}

// warned is a write that may be repeated, and whose response may have warnings.
func warned[T any](
	ctx context.Context, d *Directory, method, name string, body Object, repeatable bool, path string, ids ...string,
) (*T, []string, error) {
	answer, err := d.write(ctx, method, body, repeatable, path, ids...)
	if err != nil {
		return nil, nil, err
	}
	record := read[T](map[string]any(inner(answer, name)))
	return &record, readList[string](answer, "warnings"), nil
}
