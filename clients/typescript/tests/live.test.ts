/** The client and its agents against a real server, which is killed while they wait for it. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { Agent, AlreadyDecided, Client, Conflict, IntentRejected, type Event, type Result, type Task, WaitTimeout } from "@signoff/client";
import { Live, PYTHON, ROOT } from "./processes.js";

const QUIET = { info() {}, warn() {}, error() {} };
const ASKED = { intent_type: "intent.test.v1", payload: { amount: 7 }, human_task: { title: "Pay it?", task_type: "approval" } };
let live: Live;
let owner: Client;

before(async () => {
  live = await Live.start();
  owner = new Client({ url: live.url, apiKey: live.ownerKey });
});
after(() => live.end());

async function taskOf(intentId: string): Promise<Task> {
  for await (const event of owner.observe(intentId)) if (event.event_type === "intent.human_task_assigned") break;
  const [task] = await owner.tasks.list({ intentId });
  assert.ok(task);
  return task;
}

/** A program of its own, that may only ask. */
async function initiator(): Promise<Client> {
  const key = await owner.createKey({ service: `initiator-${crypto.randomUUID()}` });
  return new Client({ url: live.url, apiKey: key.api_key });
}

test("a payload is sent, decided by a person, and the decision read", async () => {
  const client = await initiator();
  const intentId = await client.sendIntent(ASKED);
  const waiting = client.waitFor(intentId);
  const task = await taskOf(intentId);
  assert.deepEqual(task.payload, { amount: 7 });
  const decided = await owner.approve(task, { comment: "go" });
  assert.deepEqual([decided.state, decided.outcome], ["closed", "approved"]);
  const result = await waiting;
  assert.deepEqual([result.status, result.approved, result.comment], ["COMPLETED", true, "go"]);
  assert.equal(result.raiseForStatus(), result);
  const trail = await owner.audit(intentId);
  assert.ok(trail.verified);
  await assert.rejects(owner.reject(task), (error) => error instanceof AlreadyDecided && error.outcome === "approved");
});

test("a rejection is an ending, and an error only on request", async () => {
  const intentId = await owner.sendIntent(ASKED);
  await owner.reject(await taskOf(intentId), { comment: "not on a Friday" });
  const result = await owner.waitFor(intentId);
  assert.deepEqual([result.status, result.ending, result.approved], ["FAILED", "rejected", false]);
  assert.throws(() => result.raiseForStatus(), (error) => error instanceof IntentRejected && error.result === result);
});

test("a wait and a stream survive kill -9 of the server, before and after the decision", { timeout: 120_000 }, async () => {
  const client = await initiator();
  const intentId = await client.sendIntent(ASKED);
  const seen: Event[] = [];
  const observing = (async () => {
    for await (const event of client.observe(intentId)) seen.push(event);
  })();
  const waiting = client.waitFor(intentId);
  const task = await taskOf(intentId);
  await live.kill();
  await assert.rejects(client.waitFor(intentId, { timeoutSeconds: 0.5 }), WaitTimeout);
  await live.start();
  await owner.approve(task);
  await live.kill();
  await live.start();
  await observing;
  const result: Result = await waiting;
  assert.deepEqual([result.status, result.approved], ["COMPLETED", true]);
  const numbers = seen.map((event) => event.seq);
  assert.deepEqual(numbers, (await client.events(intentId)).map((event) => event.seq));
  assert.ok(seen.at(-1)?.final);
});

test("sending waits for a server that is down and creates one intent", { timeout: 120_000 }, async () => {
  const client = await initiator();
  const idempotencyKey = crypto.randomUUID();
  const first = await client.sendIntent(ASKED, { idempotencyKey });
  await live.kill();
  const again = client.sendIntent(ASKED, { idempotencyKey });
  const other = client.sendIntent(ASKED);
  await live.start();
  assert.equal(await again, first);
  assert.notEqual(await other, first);
  await assert.rejects(client.sendIntent({ ...ASKED, payload: { amount: 8 } }, { idempotencyKey }), Conflict);
});

test("an agent continues after its server was killed", { timeout: 120_000 }, async () => {
  const type = "intent.agent.v1";
  await owner.applyWorkflow({ workflow: "agent-only", intent_type: type, steps: [{ id: "check", agent: "checker" }] } as any);
  const key = await owner.createKey({ agent: "checker" });
  let took = (): void => {};
  let release = (): void => {};
  const taken = new Promise<void>((resolve) => (took = resolve));
  const back = new Promise<void>((resolve) => (release = resolve));
  const agent = new Agent("checker", { url: live.url, apiKey: key.api_key, logger: QUIET });
  agent.on<{ n: number }>(type, async (delivery) => {
    took();
    await back;
    return { attempt: delivery.attempt, n: delivery.payload.n };
  });
  const serving = agent.serve();
  const first = await owner.sendIntent({ intent_type: type, payload: { n: 1 } });
  await taken;
  await live.kill();
  await live.start();
  release();
  const result = await owner.waitFor(first, { timeoutSeconds: 60 });
  assert.deepEqual([result.status, result.result?.["attempt"], result.result?.["n"]], ["COMPLETED", 1, 1]);
  const second = await owner.sendIntent({ intent_type: type, payload: { n: 2 } });
  assert.equal((await owner.waitFor(second, { timeoutSeconds: 60 })).result?.["n"], 2);
  agent.stop();
  await serving;
});

test("the example: an agent validates a change, a person approves, it completes", { timeout: 120_000 }, async () => {
  const folder = join(ROOT, "examples/database-migration");
  const env = { ...process.env, SIGNOFF_URL: live.url, SIGNOFF_API_KEY: live.ownerKey };
  const applied = spawnSync(PYTHON, ["-m", "signoff.cli", "workflows", "apply", join(folder, "workflow.yaml")], { env, encoding: "utf8" });
  assert.equal(applied.status, 0, applied.stderr);
  const installed = spawnSync("npm", ["install", "--offline", "--no-package-lock", "--no-audit"], { cwd: join(folder, "typescript"), encoding: "utf8" });
  assert.equal(installed.status, 0, installed.stderr); // in a clone the client is taken from there
  const run = (name: string) => spawn(process.execPath, [join(import.meta.dirname, `../example/${name}.js`)], { env, stdio: ["ignore", "pipe", "pipe"] });
  const agent = run("agent");
  const said: string[] = [];
  createInterface(agent.stderr).on("line", (line) => said.push(line));
  const request = run("request");
  const lines = createInterface(request.stdout);
  const printed: string[] = [];
  lines.on("line", (line) => printed.push(line));
  const [first] = (await once(lines, "line")) as [string];
  const task = await taskOf(/^sent (\S+), waiting$/.exec(first)![1]!);
  assert.equal(task.previous_results["validate"].risk, "low");
  const closed = once(request, "close");
  await owner.approve(task);
  const [status] = await closed;
  assert.equal(status, 0);
  assert.match(printed.join("\n"), /COMPLETED/);
  agent.kill("SIGTERM");
  const [ended] = await once(agent, "close");
  assert.equal(ended, 0);
  assert.match(said.join("\n"), /connected to .* as agent:.*infra-validator, waiting for work/);
});
