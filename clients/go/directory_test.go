package signoff

import (
	"context"
	"io"
	"net/http"
	"testing"
)

func TestDirectoryErasesExportsAndSendsTestMessages(t *testing.T) {
	answers := map[string]string{
		"POST /base/v1/people/per_ann/erase {}":                     `{"person_id": "per_ann", "comments": 2, "waiting": 1}`,
		"GET /base/v1/export/manifest ":                             `{"manifest": {"teams": {}}}`,
		"GET /base/v1/people/me/test-messages ":                     `{"messages": [{"message_id": "m", "state": "sent"}]}`,
		`POST /base/v1/people/me/test-messages {"channel":"email"}`: `{"message": {"message_id": "n", "state": "waiting"}}`,
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
}
