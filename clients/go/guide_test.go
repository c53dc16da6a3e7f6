//go:build integration

package signoff_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	signoff "forge.example/signoff/signoff/clients/go"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// programs are the Go blocks of a page, each in a folder of its own module; a block that tests belongs to the one before.
func programs(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
		name := "main.go"
		if strings.Contains(block[1], "testing.T") {
			name = "main_test.go"
		} else {
			folder := t.TempDir()
			folders = append(folders, folder)
			write(t, folder, "go.mod", fmt.Sprintf("module page\n\ngo 1.23\n\nrequire forge.example/signoff/signoff/clients/go v0.1.0\n\n"+
				"replace forge.example/signoff/signoff/clients/go => %s\n", module))
		}
		write(t, folders[len(folders)-1], name, block[1])
	}
	return folders
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, folder string, command ...string) {
	t.Helper()
	process := exec.Command(command[0], command[1:]...)
	process.Dir = folder
	if said, err := process.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, said)
	}
}

// built is a program that is compiled and checked.
func built(t *testing.T, folder, pkg string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	run(t, folder, "go", "vet", pkg)
	run(t, folder, "go", "build", "-o", program, pkg)
	return program
}

// process is a running program whose output can be read.
type process struct {
	*exec.Cmd
	t     *testing.T
	mutex sync.Mutex
	said  bytes.Buffer
}

func (p *process) Write(text []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.said.Write(text)
}

func (p *process) output() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.said.String()
}

func started(t *testing.T, folder, key, program string, arguments ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, arguments...), t: t}
	p.Dir, p.Stdout, p.Stderr = folder, p, p
	p.Env = environment()
	if key != "" {
		p.Env = environment("SIGNOFF_API_KEY=" + key)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return p
}

func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, "a program says "+text, func() bool { return strings.Contains(p.output(), text) })
}

// ends waits for its end, and checks what it said.
func (p *process) ends(text string) {
	p.t.Helper()
	if err := p.Wait(); err != nil || !strings.Contains(p.output(), text) {
		p.t.Errorf("%v, expected %q:\n%s", err, text, p.output())
	}
}

// stops ends it as a supervisor does.
func (p *process) stops() {
	p.t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM)
	p.ends("")
}

func TestProgramsOfTheGuideRun(t *testing.T) {
	folders := programs(t, "../../docs/how-to/go.md")
	if len(folders) != 5 {
		t.Fatalf("%d programs", len(folders))
	}
	request, observe, decide := built(t, folders[0], "."), built(t, folders[1], "."), built(t, folders[2], ".")
	gated, check := built(t, folders[3], "."), built(t, folders[4], ".")
	run(t, folders[4], "go", "test", "./...")
	server := startLive(t)
	owner := server.client(server.owner)
	must[*signoff.AppliedWorkflow](t)(owner.ApplyWorkflow(context.Background(), signoff.Object{
		"workflow": "refund", "intent_type": refundType, "steps": []any{
			signoff.Object{"id": "check", "agent": "refund-checker"},
			signoff.Object{"id": "approve", "human": signoff.Object{"title": "Pay this refund?"}, "deadline": "2d"},
		},
	}))
	// In the folder of the server each finds it, and the owner's key.
	agent := started(t, server.folder, server.key(signoff.NewKey{Agent: "refund-checker"}), check)
	agent.says("waiting for work (" + refundType + ")")
	waiting := started(t, server.folder, "", request)
	var id string
	eventually(t, "a task is open", func() bool {
		for _, task := range must[[]signoff.Task](t)(owner.Tasks.List(context.Background(), signoff.TaskQuery{Mine: true})) {
			id = task.IntentID
		}
		return id != ""
	})
	following := started(t, server.folder, "", observe, id)
	started(t, server.folder, "", decide).ends("Pay this refund?")
	waiting.ends("pay it: approved by ")
	following.ends("COMPLETED")

	p := working(t, owner)
	p.approve()
	started(t, server.folder, "", gated).ends("paid 420 for A-4721\ndelete /data/old false\n")
	p.reject("Not our order.")
	refused := started(t, server.folder, "", gated)
	refused.says("The call was rejected: Not our order.\n")
	p.approve()
	_ = refused.Wait()
	agent.stops()
}

func TestProgramsOfTheReadmeRun(t *testing.T) {
	folders := programs(t, "README.md")
	if len(folders) != 3 {
		t.Fatalf("%d programs", len(folders))
	}
	built(t, folders[0], ".")
	built(t, folders[1], ".")
	gated := built(t, folders[2], ".")
	server := startLive(t)
	working(t, server.client(server.owner)).approve()
	started(t, server.folder, "", gated).ends("paid 420 for A-4721\n")
}

func TestExampleRuns(t *testing.T) {
	const folder = "../../examples/database-migration/go"
	agent, request := built(t, folder, "./agent"), built(t, folder, "./request")
	server := startLive(t)
	owner := server.client(server.owner)
	apply := exec.Command(python(t), "-m", "signoff.cli", "workflows", "apply", must[string](t)(filepath.Abs("../../examples/database-migration/workflow.yaml")))
	apply.Dir, apply.Env = server.folder, environment()
	if said, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	// The SRE who will decide has a key of her own. The owner made it, and the requester's: that is self-approval.
	must[*signoff.AppliedManifest](t)(owner.Directory.Apply(
		context.Background(), signoff.Object{"workspace": signoff.Object{"self_approval": true}}, ""))
	sre := server.client(server.key(signoff.NewKey{Person: "sre@example.com"}))
	validator := server.key(signoff.NewKey{Agent: "agent://myorg/production/infra-validator"})
	working := started(t, server.folder, validator, agent)
	working.says("waiting for work (intent.infra.change_approval.v1)")
	waiting := started(t, server.folder, server.key(signoff.NewKey{Service: "ci"}), request)
	waiting.says("waiting")
	var task signoff.Task
	eventually(t, "the validator has checked it", func() bool {
		for _, task = range must[[]signoff.Task](t)(owner.Tasks.List(context.Background(), signoff.TaskQuery{})) {
			return true
		}
		return false
	})
	checked := fmt.Sprint(task.PreviousResults["validate"])
	if !strings.Contains(checked, "risk:low") || !strings.Contains(checked, "checked:add_index_users_email") {
		t.Error(checked)
	}
	must[*signoff.Task](t)(sre.Approve(context.Background(), taskOf(t, sre, task.IntentID), "Go."))
	waiting.ends("COMPLETED")
	working.stops()
}
