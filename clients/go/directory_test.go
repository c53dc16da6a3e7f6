package signoff

import (
	"context"
	"io"
	"net/http"
	"testing"
)

func TestDirectoryErasesExportsSendsTestMessagesAndManagesWorkspaces(t *testing.T) {
	answers := map[string]string{
		"POST /base/v1/people/per_ann/erase {}":                     `{"person_id": "per_ann", "comments": 2, "waiting": 1}`,
		"GET /base/v1/export/manifest ":                             `{"manifest": {"teams": {}}}`,
		"GET /base/v1/people/me/test-messages ":                     `{"messages": [{"message_id": "m", "state": "sent"}]}`,
		`POST /base/v1/people/me/test-messages {"channel":"email"}`: `{"message": {"message_id": "n", "state": "waiting"}}`,
		"GET /base/v1/export/audit ":                                `{"records": [], "next_cursor": "c"}`,
		"GET /base/v1/workspaces ":                                  `{"workspaces": [{"workspace_id": "w", "own": true}]}`,
		`POST /base/v1/workspaces {"name":"staging"}`:               `{"workspace": {"workspace_id": "v"}, "api_key": "k"}`,
		`PATCH /base/v1/workspaces/w {"name":"live"}`:               `{"workspace": {"workspace_id": "w", "name": "live"}}`,
	}
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer, known := answers[r.Method+" "+r.URL.Path+" "+string(body)]
		if !known {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, answer)
	})
	ctx := context.Background()
	if erased, err := client.Directory.ErasePerson(ctx, "per_ann"); err != nil || erased.Comments != 2 || erased.Waiting != 1 {
		t.Error(err, erased)
	}
	if manifest, err := client.Directory.Manifest(ctx); err != nil || manifest["teams"] == nil || len(manifest) != 1 {
		t.Error(err, manifest)
	}
	if sent, err := client.Directory.TestMessages(ctx, "me"); err != nil || len(sent) != 1 || sent[0].State != "sent" {
		t.Error(err, sent)
	}
	if sent, err := client.Directory.SendTestMessage(ctx, "me", "email"); err != nil || sent.MessageID != "n" {
		t.Error(err, sent)
	}
	if page, err := client.Directory.Export(ctx, "audit", nil); err != nil || page["next_cursor"] != "c" {
		t.Error(err, page)
	}
	if found, err := client.Directory.Workspaces(ctx); err != nil || len(found) != 1 || !found[0].Own {
		t.Error(err, found)
	}
	if made, err := client.Directory.CreateWorkspace(ctx, "staging", "", ""); err != nil || made["api_key"] != "k" {
		t.Error(err, made)
	}
	if named, err := client.Directory.RenameWorkspace(ctx, "w", "live", ""); err != nil || named.Name != "live" {
		t.Error(err, named)
	}
}
