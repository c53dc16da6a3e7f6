/** The vectors that all clients keep (clients/vectors): their words to ours, our values to theirs. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as signoff from "@signoff/client";
import { Agent, Client, IntentFailed, RequestRefused, requireApproval, SignoffError, StepFailed, WaitTimeout } from "@signoff/client";
import { inspect } from "node:util";
import { json, type Scripted, scriptedServer } from "./processes.js";

const QUIET = { info() {}, warn() {}, error() {} };
const server: Scripted = await scriptedServer();
after(() => server.end());
before(() => {
  console.warn = () => {};
});

class Player {
  readonly vector: any;
  readonly base: string;
  readonly options: signoff.ClientOptions;
  readonly values: any[] = [];

  constructor(vector: any) {
    this.vector = vector;
    this.base = `${server.url}/v/${crypto.randomUUID()}/${vector.name}`;
    const { url, base_path, timeout, retry_for } = vector.client ?? {};
    this.options = {
      url: url === "closed" ? server.closedUrl : this.base + (base_path ?? ""),
      apiKey: server.apiKey,
      ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
      ...(retry_for === undefined ? {} : { retryForSeconds: retry_for }),
    };
  }

  async came(name: string): Promise<void> {
    await json(`${this.base}/_wait?for=${encodeURIComponent(name)}`);
  }

  async verdict(): Promise<void> {
    const found = await json(`${this.base}/_verdict`);
    assert.deepEqual(found.mismatches, []);
  }

  judge(step: any, value: unknown, error: unknown): void {
    if (error !== undefined && !step.error) throw error;
    if (step.error) {
      assert.notEqual(error, undefined, `expected ${inspect(step.error)}, got ${inspect(value)}`);
      assertError(error, step.error);
    } else if ("value" in step) {
      assertLike(value, step.value);
    }
    this.values.push(value);
  }
}

const OURS: Record<string, string> = { request_id: "requestId", retry_after: "retryAfterSeconds", message: "reason", intent_id: "intentId" };

function assertError(error: any, expected: any): void {
  const shown = `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)} ${error.stack}`;
  assert.ok(!shown.includes(server.apiKey), "the error shows the key");
  if (expected.class === "InvalidArgument") {
    assert.ok((error instanceof TypeError || error instanceof RangeError) && !(error instanceof SignoffError), inspect(error));
    return;
  }
  assert.equal(error.constructor, (signoff as Record<string, unknown>)[expected.class], inspect(error));
  assert.equal(error.name, expected.class);
  for (const [name, wanted] of Object.entries<any>(expected)) {
    if (name === "class") continue;
    if (name === "message_contains") assert.ok(error.message.includes(wanted), error.message);
    else if (name === "last_status") assert.equal((error as WaitTimeout).status, wanted);
    else if (name === "status_of_result") assert.equal((error as IntentFailed).result.status, wanted);
    else if (error instanceof RequestRefused || error instanceof WaitTimeout) {
      assert.deepEqual((error as any)[OURS[name] ?? name] ?? null, wanted, name);
    } else assert.deepEqual(error[name], wanted, name);
  }
}

function assertLike(value: any, expected: any, where = "value"): void {
  if (Array.isArray(expected)) {
    assert.equal(value.length, expected.length, where);
    expected.forEach((one, place) => assertLike(value[place], one, `${where}[${place}]`));
  } else if (typeof expected === "object" && expected !== null) {
    for (const [name, wanted] of Object.entries(expected)) assertLike(value?.[name], wanted, `${where}.${name}`);
  } else {
    assert.equal(value ?? (expected === "" ? "" : null), expected, where);
  }
}

/** Each call in the vectors' words. */
const CALLS: Record<string, (client: Client, a: any, options: { signal?: AbortSignal }) => Promise<unknown>> = {
  send_intent: (c, a, o) => c.sendIntent(a.intent, { idempotencyKey: a.idempotency_key, ...o }),
  wait_for: (c, a, o) => c.waitFor(a.intent_id, { timeoutSeconds: a.timeout, ...o }),
  get_intent: (c, a) => c.getIntent(a.intent_id),
  list_intents: (c, a) => c.listIntents(a),
  events: (c, a) => c.events(a.intent_id, { since: a.since }),
  cancel: (c, a) => c.cancel(a.intent_id, { reason: a.reason }),
  retry: (c, a) => c.retry(a.intent_id),
  rerun: (c, a) => c.rerun(a.intent_id),
  use: (c, a) => c.use(a.intent_id, a.use),
  answer: (c, a) => c.answer(a.task, a.outcome, a),
  approve: (c, a) => c.approve(a.task, a),
  reject: (c, a) => c.reject(a.task, a),
  gate: async (c, a, o) => {
    const { intent_type: intentType, arguments: args, on_behalf_of: onBehalfOf, timeout: timeoutSeconds, ...more } = a;
    const given = Object.entries({ onBehalfOf, timeoutSeconds }).filter(([, value]) => value !== undefined);
    const approved = await requireApproval(args, { client: c, intentType, ...Object.fromEntries(given), ...more, ...o });
    return { arguments: approved.args, edited: approved.edited };
  },
  kill_agent: (c, a) => c.killAgent(a.agent),
  resume_agent: (c, a) => c.resumeAgent(a.agent),
  me: (c) => c.me(),
  health: (c) => c.health(),
  create_key: (c, a) => c.createKey({ ...a, ...(a.expires_in ? { expiresInSeconds: a.expires_in } : {}) }),
  apply_workflow: (c, a) => c.applyWorkflow(a.template, { dryRun: a.dry_run }),
  "tasks.list": (c, a) => c.tasks.list(a),
  "tasks.get": (c, a) => c.tasks.get(a.task_id),
  "tasks.comment": (c, a) => c.tasks.comment(a.task_id, a.text),
  "tasks.delegate": (c, a) => c.tasks.delegate(a.task_id, a.to),
  "tasks.snooze": (c, a) => c.tasks.snooze(a.task_id, a),
  "tasks.revise": (c, a) => c.tasks.revise(a.task_id, a.payload, a),
  "tasks.withdraw": (c, a) => c.tasks.withdraw(a.task_id, { reason: a.reason }),
  "directory.people": (c) => c.directory.people(),
  "directory.add_person": (c, a) => c.directory.addPerson(a),
  "directory.change_person": (c, { who, ...fields }) => c.directory.changePerson(who, fields),
  "directory.set_team": (c, { name, ...team }) => c.directory.setTeam(name, team),
  "directory.set_policy": (c, a) => c.directory.setPolicy(a.name, a.policy),
};

async function play(player: Player): Promise<void> {
  const client = new Client(player.options);
  for (const step of player.vector.steps) {
    const args = Object.fromEntries(
      Object.entries<any>(step.with ?? {}).map(([name, value]) => [name, value?.$step === undefined ? value : player.values[value.$step]]),
    );
    let value: any;
    let error: unknown;
    try {
      if (step.call === "raise_for_status") {
        value = player.values.at(-1).raiseForStatus();
      } else if (step.call === "observe") {
        value = [];
        for await (const event of client.observe(args["intent_id"], { since: args["since"] })) {
          value.push(event);
          if (value.length === step.stop_after) break;
        }
        assertLike(value, step.events);
      } else if (step.abort_after) {
        const controller = new AbortController();
        const reason = new Error("enough");
        const called = CALLS[step.call]!(client, args, { signal: controller.signal });
        void player.came(step.abort_after).then(() => controller.abort(reason));
        await assert.rejects(called, (thrown) => thrown === reason);
      } else {
        const call = CALLS[step.call];
        assert.ok(call, `no call ${step.call}`);
        value = await call(client, args, {});
      }
    } catch (failure) {
      error = failure;
    }
    player.judge(step, value, error);
  }
  await player.verdict();
}

function once(): { promise: Promise<void>; settle: () => void } {
  let settle = (): void => {};
  const promise = new Promise<void>((resolve) => (settle = resolve));
  return { promise, settle };
}

async function playAgent(player: Player): Promise<void> {
  const [step] = player.vector.steps;
  const { address, concurrency, lease, grace, handlers, on_large_result, stop_after, stops_in_handler } = step.with;
  const agent = new Agent(address, { ...player.options, concurrency, leaseSeconds: lease, graceSeconds: grace, logger: QUIET });
  const [began, stopped, met] = [once(), once(), once()];
  let begun = 0;
  for (const [type, does] of Object.entries<any>(handlers)) {
    agent.on(type, async (delivery) => {
      began.settle();
      assertLike(delivery, does.sees ?? {});
      if (does.waits_for_exchange) await player.came(does.waits_for_exchange);
      if (does.waits_for_lost_lease) {
        if (!delivery.signal.aborted) await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
        assert.ok(delivery.leaseLost);
      }
      if (does.waits_for_stop) await stopped.promise;
      if (does.waits_for_ever) await new Promise(() => {});
      if (does.waits_for_others) {
        begun += 1;
        if (begun === does.waits_for_others) met.settle();
        await met.promise;
      }
      if (does.throws) throw new Error(does.throws);
      if (does.fails) throw new StepFailed(does.fails.code, does.fails.message, does.fails);
      return does.returns_text_of ? { text: "x".repeat(does.returns_text_of) } : does.returns;
    });
  }
  if (on_large_result) agent.onLargeResult(() => on_large_result.returns);
  const stopping = (stops_in_handler ? began.promise : player.came(stop_after ?? "*")).then(() => {
    agent.stop();
    stopped.settle();
  });
  let error: unknown;
  try {
    await agent.serve();
  } catch (failure) {
    error = failure;
  }
  if (!step.error) await stopping;
  player.judge(step, null, error);
  await player.verdict();
}

describe("vectors", { concurrency: 8 }, () => {
  for (const vector of server.vectors) {
    const agent = vector.steps.some((step: any) => step.call === "run_agent");
    test(vector.name, { timeout: 60_000 }, () => (agent ? playAgent : play)(new Player(vector)));
  }
});
