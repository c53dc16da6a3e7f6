/**
 * A gated function runs only after people have approved exactly this call, once for each approval; against a real
 * server.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test as nodeTest } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { inspect } from "node:util";
import {
  AlreadyUsed,
  type Again,
  Client,
  Conflict,
  ConnectionFailed,
  gate,
  type GateOptions,
  IntentCanceled,
  IntentExpired,
  IntentFailed,
  IntentRejected,
  IntentWithdrawn,
  InvalidEdit,
  NotConfigured,
  PendingCall,
  requireApproval,
  type Task,
  WaitTimeout,
} from "@signoff/client";
import { Live } from "./processes.js";

const TYPE = "intent.payments.refund.v1";
const SECRET = "4929-1234";
const folder = mkdtempSync(join(tmpdir(), "signoff-gate-"));

type Work = (context: { readonly signal: AbortSignal }) => unknown;
/** A test that hangs fails; the runner's own limit is for a whole file. */
function test(name: string, work: Work, timeout = 60_000): void {
  void nodeTest(name, { timeout }, async (context) => void (await work(context)));
}

interface Refund {
  order: string;
  amount?: unknown;
  card?: string;
}
type Rule = (task: Task) => Promise<unknown> | undefined;

let live: Live;
let owner: Client;
let client: Client;
let rule: Rule = () => undefined;
let working = true;
let people: Promise<void>;
/** Every task that was ever asked, by its id. */
const asked: Map<string, Task> = new Map();

before(async () => {
  live = await Live.start();
  owner = new Client({ url: live.url, apiKey: live.ownerKey, retryForSeconds: 60 });
  const key = await owner.createKey({ service: "shop" });
  client = new Client({ url: live.url, apiKey: key.api_key });
  people = (async () => {
    for (; working; await pause(25)) {
      for (const task of await owner.tasks.list()) {
        asked.set(task.task_id, task);
        await rule(task)?.catch((error) => assert.ok(error instanceof Conflict, inspect(error)));
      }
    }
  })();
});
after(async () => {
  working = false;
  await people;
  await live.end();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(leave);

function leave(): void {
  rule = () => undefined;
}
function approve(): void {
  rule = (task) => owner.approve(task);
}
function reject(comment = ""): void {
  rule = (task) => owner.reject(task, { comment });
}
/** Change the arguments of what is asked, then approve it. */
function edit(changes: object): void {
  rule = async (task) => {
    if (task.revision === 1) task = await owner.tasks.revise(task.task_id, { ...task.payload, ...changes }, { digest: task.digest });
    await owner.approve(task);
  };
}

function about(order: string): Task[] {
  return [...asked.values()].filter((task) => task.payload["order"] === order);
}
function requests(order: string): number {
  return new Set(about(order).map((task) => task.intent_id)).size;
}
async function untilAsked(order: string, times = 1): Promise<Task> {
  const end = Date.now() + 30_000;
  while (requests(order) < times) {
    assert.ok(Date.now() < end, `${requests(order)} of ${times} requests about ${order} were asked`);
    await pause(10);
  }
  return about(order).at(-1)!;
}
/** Whatever was asked before is known when this is. */
async function assertNeverAsked(order: string): Promise<void> {
  const last = await new Till().refund.ask({ order: crypto.randomUUID() });
  for (const end = Date.now() + 30_000; ![...asked.values()].some((task) => task.intent_id === last.intentId); await pause(10)) {
    assert.ok(Date.now() < end, "the last request was not asked");
  }
  assert.equal(requests(order), 0);
}

/** What was really paid. */
class Till {
  readonly paid: unknown[][] = [];
  readonly refund;

  constructor(options: Partial<GateOptions<Refund>> = {}) {
    this.refund = gate(
      async ({ order, amount, card }: Refund) => {
        this.paid.push([order, amount, card]);
        return `paid ${amount}`;
      },
      { intentType: TYPE, client, ...options },
    );
  }
}

test("a call runs once it is approved", async () => {
  approve();
  const till = new Till({ name: "refund", description: "Pay the money back." });
  assert.equal(await till.refund({ order: "run", amount: 10, card: SECRET }), "paid 10");
  assert.deepEqual(till.paid, [["run", 10, SECRET]]);
  const [task] = about("run");
  assert.deepEqual([task?.title, task?.description], ["Run refund?", "Pay the money back."]);
  assert.deepEqual(task?.payload, { order: "run", amount: 10, card: SECRET });
});

test("a synchronous function, a method and a single call are gated", async () => {
  approve();
  const options = { intentType: TYPE, client };
  assert.equal(await gate(({ order }: Refund) => order, options)({ order: "plain" }), "plain");
  const shop = { name: "north", close: gate(function close(args: Refund, approval) { return [args.order, approval.edited, approval.result.approved]; }, options) };
  assert.deepEqual(await shop.close({ order: "method" }), ["method", false, true]);
  assert.equal(shop.close.name, "close");
});

test("requireApproval returns the approved arguments", async () => {
  edit({ amount: 5 });
  const { args, edited, result } = await requireApproval({ order: "block", amount: 7 }, { intentType: TYPE, client });
  assert.deepEqual([args, edited, result.approved], [{ order: "block", amount: 5 }, true, true]);
  reject("No.");
  await assert.rejects(requireApproval({ order: "block 2" }, { intentType: TYPE, client }), (error) => error instanceof IntentRejected && /No\./.test(error.message));
});

test("the options of requireApproval have an effect or are refused", async () => {
  const ask = (args: object, options: object): Promise<unknown> => requireApproval(args, { intentType: TYPE, client, ...options });
  for (const key of ["first", "second", ({ order }: Refund) => order.replace("keyed", "first")]) {
    await assert.rejects(ask({ order: "keyed" }, { key, timeoutSeconds: 0.1 }), WaitTimeout);
  }
  await untilAsked("keyed", 2);
  assert.equal(requests("keyed"), 2);
  for (const wrong of [{ omit: ["card"] }, { hide: ["cord"] }, { key: () => 1 }, { key: 1 }]) {
    await assert.rejects(ask({ order: "refused", card: SECRET }, wrong), TypeError);
  }
  await assertNeverAsked("refused");
});

test("a call runs with the edited arguments", async () => {
  const till = new Till();
  edit({ amount: 3 });
  assert.equal(await till.refund({ order: "edit", amount: 30 }), "paid 3");
  for (const [wrong, why] of [[{ amount: "much" }, /amount is a string, not a number/], [{ amount: null }, /amount is null/], [{ more: 1 }, /adds or/]] as const) {
    edit(wrong);
    await assert.rejects(till.refund({ order: "edit", amount: 31 }), (error) => error instanceof InvalidEdit && why.test(error.message));
  }
  assert.deepEqual(till.paid, [["edit", 3, undefined]]);
});

test("a check restricts an edit and changes nothing itself", async () => {
  const checked: unknown[] = [];
  const till = new Till({
    check: (args) => {
      checked.push({ ...args });
      if (args.amount !== 4) throw new RangeError("too much");
      args.amount = 1;
    },
  });
  edit({ amount: 3 });
  await assert.rejects(till.refund({ order: "check", amount: 30 }), (error) => error instanceof InvalidEdit && /too much/.test(error.message) && error.cause instanceof RangeError);
  edit({ amount: 4 });
  assert.equal(await till.refund({ order: "check", amount: 30 }), "paid 4");
  approve();
  assert.equal(await till.refund({ order: "check", amount: 30 }), "paid 30");
  assert.deepEqual(checked, [{ order: "check", amount: 3 }, { order: "check", amount: 4 }]);
});

test("a check that reports a failure without throwing refuses the edit", async () => {
  const results: [unknown, RegExp | undefined][] = [
    [false, /its check returned false/],
    [Promise.resolve(false), /its check returned false/],
    [{ success: false }, /its check did not succeed/],
    [{ success: false, error: new RangeError("too much") }, /too much/],
    [{ success: true }, undefined],
    [true, undefined],
    [undefined, undefined],
    [{ order: "parsed" }, undefined],
  ];
  edit({ amount: 3 });
  for (const [result, why] of results) {
    const till = new Till({ check: () => result });
    const call = till.refund({ order: "check result", amount: 30 });
    if (why) await assert.rejects(call, (error) => error instanceof InvalidEdit && why.test(error.message), inspect(result));
    else assert.equal(await call, "paid 3");
    assert.equal(till.paid.length, why ? 0 : 1);
  }
});

test("an edit keeps the JSON type, and only a check allows replacing null", async () => {
  const checked = new Till({ check: () => true });
  edit({ amount: "much" });
  await assert.rejects(checked.refund({ order: "kinds", amount: 30 }), (error) => error instanceof InvalidEdit && /amount is a string, not a number/.test(error.message));
  edit({ amount: null });
  await assert.rejects(checked.refund({ order: "kinds", amount: 30 }), InvalidEdit);
  edit({ amount: 3 });
  const unchecked = new Till();
  await assert.rejects(unchecked.refund({ order: "kinds", amount: null }), (error) => error instanceof InvalidEdit && /amount is a number, not null/.test(error.message));
  assert.deepEqual([checked.paid, unchecked.paid], [[], []]);
  assert.equal(await checked.refund({ order: "kinds", amount: null }), "paid 3");
});

test("an ending that is not text runs nothing", async () => {
  approve();
  for (const ending of [{}, null, { name: "approved" }, ["approved"]]) {
    const altering = new Client({
      url: live.url,
      apiKey: client.settings.apiKey,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (init.method !== "GET" || !/intents\/[^/]+$/.test(input)) return response;
        const body = (await response.json()) as { intent: { ending?: unknown } };
        if (body.intent.ending !== undefined) body.intent.ending = ending;
        return new Response(JSON.stringify(body), response);
      },
    });
    const till = new Till({ client: altering });
    await assert.rejects(till.refund({ order: "odd ending", amount: 1 }), IntentFailed, inspect(ending));
    assert.deepEqual(till.paid, []);
  }
});

test("used requests are remembered per server and key", async () => {
  approve();
  const keys: string[] = [];
  const calling = (apiKey: string): Client => new Client({
    url: live.url,
    apiKey,
    fetch: (input, init) => {
      if (init.method === "POST" && input.endsWith("/v1/intents")) keys.push((init.headers as Record<string, string>)["idempotency-key"]!);
      return fetch(input, init);
    },
  });
  const { api_key } = await owner.createKey({ service: "other shop" });
  const times = async (apiKey: string): Promise<number> => {
    keys.length = 0;
    await new Till({ client: calling(apiKey) }).refund({ order: "two shops", amount: 1 });
    return keys.length;
  };
  // The first call finds none; the second one tries the first's key, and asks again; the third knows that.
  assert.deepEqual([await times(client.settings.apiKey), await times(client.settings.apiKey)], [1, 2]);
  const first = keys[0];
  assert.equal(await times(api_key), 1);
  assert.equal(keys[0], first);
});

test("a slow waiter does not send a second request", async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const uses: string[] = [];
  const slow = new Client({
    url: live.url,
    apiKey: client.settings.apiKey,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (input.endsWith("/use") && uses.push(input) === 1) await held;
      return response;
    },
  });
  const till = new Till({ client: slow });
  const pending = await till.refund.ask({ order: "slow waiter", amount: 1 });
  const other = new Till().refund({ order: "slow waiter", amount: 1 });
  approve();
  await other; // it used the approval
  leave();
  const waits = [pending.wait(), pending.wait()];
  await untilAsked("slow waiter", 2);
  release();
  assert.equal(uses.length, 2);
  approve();
  assert.deepEqual(await Promise.all(waits), ["paid 1", "paid 1"]);
  assert.deepEqual([requests("slow waiter"), till.paid.length], [2, 1]);
});

test("an outcome other than approval throws with the reason, and nothing runs", async () => {
  const till = new Till();
  reject("Not our order.");
  await assert.rejects(till.refund({ order: "no", amount: 1 }), (error) => {
    return error instanceof IntentRejected && error.message === "The call was rejected: Not our order." && error.result.comment === "Not our order.";
  });
  leave();
  const withdrawn = await till.refund.ask({ order: "no", amount: 2 });
  const task = await untilAsked("no", 2);
  await client.tasks.withdraw(task.task_id);
  await assert.rejects(withdrawn.wait(), IntentWithdrawn);
  const canceled = await till.refund.ask({ order: "no", amount: 3 });
  await canceled.cancel();
  await assert.rejects(canceled.wait(), IntentCanceled);
  assert.deepEqual(till.paid, []);
});

test("expiry runs nothing, and neither does a rejection with a route to success", async () => {
  const route = { goto: "tell", as: "success" };
  const human = { title: "Pay?", approvers: ["role:approver", "role:owner"] };
  const steps = [
    { id: "ask", human, deadline: "2s", on_success: "end", on_failure: route, on_timeout: route },
    { id: "tell", notify: { message: "Not paid.", to: ["role:owner"] }, on_success: "end" },
  ];
  await owner.applyWorkflow({ workflow: "declared", intent_type: "intent.declared.v1", steps } as any);
  await owner.applyWorkflow({ workflow: "slow", intent_type: "intent.slow.v1", steps: [{ id: "ask", human, deadline: "2s" }] } as any);
  const till = new Till({ intentType: "intent.slow.v1" });
  const declared = new Till({ intentType: "intent.declared.v1" });
  const [slow, expired] = [await till.refund.ask({ order: "slow" }), await declared.refund.ask({ order: "slow" })];
  await assert.rejects(slow.wait({ timeoutSeconds: 0.05 }), WaitTimeout);
  await assert.rejects(slow.wait(), (error) => error instanceof IntentExpired && /Nobody decided in time/.test(error.message));
  await assert.rejects(expired.wait(), (error) => error instanceof IntentExpired && error.result.status === "COMPLETED");
  reject("not today");
  await assert.rejects(declared.refund({ order: "rejected" }), (error) => {
    return error instanceof IntentRejected && error.result.status === "COMPLETED" && /not today/.test(error.message);
  });
  assert.deepEqual([till.paid, declared.paid], [[], []]);
});

test("an approval allows one call", async () => {
  approve();
  const till = new Till();
  for (let times = 0; times < 3; times++) await till.refund({ order: "once", amount: 1 });
  assert.equal(requests("once"), 3);
  reject();
  await assert.rejects(till.refund({ order: "once", amount: 1 }), IntentRejected);
  approve(); // a rejection does not apply to the next call
  await till.refund({ order: "once", amount: 1 });
  assert.equal(till.paid.length, 4);
});

test("a changed call is asked again", async () => {
  const till = new Till({ key: ({ order }) => order });
  const first = await till.refund.ask({ order: "changed", amount: 1 });
  const others = [
    await till.refund.ask({ order: "changed", amount: 2 }),
    await till.refund.ask({ order: "changed", amount: 1, card: "other" }),
    await new Till({ key: "x" }).refund.ask({ order: "changed", amount: 1 }),
    await new Till({ key: "changed", title: "Other?" }).refund.ask({ order: "changed", amount: 1 }),
    await new Till({ key: "changed", name: "other" }).refund.ask({ order: "changed", amount: 1 }),
  ];
  assert.equal(new Set([first, ...others].map((one) => one.intentId)).size, 6);
  assert.equal((await till.refund.ask({ amount: 1, order: "changed", card: undefined! })).intentId, first.intentId);
});

test("two concurrent identical calls need two approvals", async () => {
  approve();
  const till = new Till();
  const done = await Promise.all([1, 2, 3, 4].map(() => till.refund({ order: "at once", amount: 1 })));
  assert.deepEqual(done, Array(4).fill("paid 1"));
  assert.equal(requests("at once"), 4);
  // The same while they already wait, in two clients that know nothing of one another.
  leave();
  const handles = [await till.refund.ask({ order: "both", amount: 1 }), await new Till().refund.ask({ order: "both", amount: 1 })];
  assert.equal(handles[0]!.intentId, handles[1]!.intentId);
  approve();
  await Promise.all(handles.map((handle) => handle.wait()));
  assert.equal(requests("both"), 2);
});

for (const [again, ran, times] of [["ask", 2, 2], ["run", 2, 1], ["refuse", 1, 1]] as const) {
  test(`what was approved before: ${again}`, async () => {
    approve();
    const till = new Till({ again });
    const call = { order: `again ${again}`, amount: 1 };
    await till.refund(call);
    if (again === "refuse") await assert.rejects(till.refund(call), AlreadyUsed);
    else await till.refund(call);
    assert.deepEqual([till.paid.length, requests(call.order)], [ran, times]);
  });
}

test("a bounded wait returns a handle", async () => {
  const till = new Till();
  const pending = await till.refund.within(0.05, { order: "bounded", amount: 1 });
  assert.ok(pending instanceof PendingCall);
  await assert.rejects(pending.wait({ timeoutSeconds: 0.05 }), (error) => error instanceof WaitTimeout && error.intentId === pending.intentId);
  await assert.rejects(new Till({ timeoutSeconds: 0.05 }).refund({ order: "bounded", amount: 2 }), WaitTimeout);
  await assert.rejects(till.refund({ order: "bounded", amount: 3 }, { timeoutSeconds: 0.05 }), WaitTimeout);
  approve();
  assert.deepEqual([await pending.wait(), await pending.wait()], ["paid 1", "paid 1"]);
  assert.equal(await till.refund.within(60, { order: "bounded", amount: 1 }), "paid 1");
  assert.equal(till.paid.length, 2);
});

test("a handle runs its call once", async () => {
  approve();
  const till = new Till();
  const pending = await till.refund.ask({ order: "many", amount: 1 });
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => pending.wait())), Array(4).fill("paid 1"));
  assert.equal(till.paid.length, 1);
  let tried = 0;
  const failing = await gate((_: Refund) => { tried += 1; throw new Error("the bank is closed"); }, { intentType: TYPE, client }).ask({ order: "fails" });
  for (let times = 0; times < 2; times++) await assert.rejects(failing.wait(), /bank is closed/);
  assert.equal(tried, 1);
  const signal = AbortSignal.abort(new Error("enough"));
  assert.equal(await pending.wait({ signal }), "paid 1");
  await assert.rejects(failing.wait({ signal }), /bank is closed/);
  // A copy of a handle, as another thread would get it, can run nothing.
  assert.equal((structuredClone(pending) as { wait?: unknown }).wait, undefined);
});

test("arguments that cannot be sent are refused by name without a request", async () => {
  const till = new Till();
  const endless: unknown[] = [];
  endless.push(endless);
  const sparse: unknown[] = [];
  sparse[1] = 1;
  class Money {}
  for (const amount of [NaN, Infinity, 2 ** 53, 10n, new Date(), new Map(), new Money(), () => 1, Symbol("x"), "\ud800", [undefined], sparse, endless, { deep: { "\udc00": 1 } }, "(hidden) 00"]) {
    await assert.rejects(till.refund({ order: "odd", amount }), (error) => error instanceof TypeError && /the argument amount|nested deeper/.test(error.message), inspect(amount));
  }
  for (const args of [null, undefined, [1], "x", new Money()]) await assert.rejects(till.refund(args as any), TypeError);
  await assertNeverAsked("odd");
});

test("a hidden argument is visible to the call only", async () => {
  const till = new Till({ hide: ["card"] });
  const pending = await till.refund.ask({ order: "hidden", amount: 1, card: SECRET });
  const task = await untilAsked("hidden");
  const seen = JSON.stringify([task, await owner.getIntent(task.intent_id), await owner.audit(task.intent_id)]);
  assert.ok(!seen.includes(SECRET));
  assert.ok(!inspect(pending, { depth: 9, showHidden: true }).includes(SECRET));
  assert.match(task.payload["card"], /^\(hidden\) /);
  assert.notEqual((await till.refund.ask({ order: "hidden", amount: 1, card: "other" })).intentId, pending.intentId);
  approve();
  await pending.wait();
  assert.deepEqual(till.paid, [["hidden", 1, SECRET]]);
  edit({ card: "mine" });
  await assert.rejects(till.refund({ order: "hidden", amount: 2, card: SECRET }), (error) => error instanceof InvalidEdit && /card of .* is hidden/.test(error.message));
  await assert.rejects(till.refund({ order: "hidden", amount: 3 }), (error) => error instanceof TypeError && /to hide named card/.test(error.message));
});

for (const hide of [[], ["amount"]] as const) {
  test(`a call runs with the values that were asked about, ${hide.length ? "hidden" : "shown"}`, async () => {
    const terms = { euros: 10, lines: [1] };
    const order = `changed in the meantime ${hide.length}`;
    const call = { order, amount: terms };
    const till = new Till({ hide });
    const pending = till.refund.ask(call);
    terms.euros = 9999; // even before the request is on its way
    terms.lines.push(2);
    call.order = "another";
    await untilAsked(order);
    approve();
    await (await pending).wait();
    assert.deepEqual(till.paid, [[order, { euros: 10, lines: [1] }, undefined]]);
  });
}

test("an omitted argument is not sent, and reaches the function as it is", async () => {
  approve();
  const database = { query: () => 1 };
  const close = gate((args: { order: string; database: object }) => args.database, { intentType: TYPE, client, omit: ["database"] });
  assert.equal(await close({ order: "omitted", database }), database);
  assert.deepEqual(about("omitted")[0]?.payload, { order: "omitted" });
  await assert.rejects(close({ order: "omitted" } as any), (error) => error instanceof TypeError && /to omit named database/.test(error.message));
});

test("an invalid gate is refused at definition", () => {
  for (const wrong of [{ again: "maybe" }, { hide: "card" }, { omit: "card" }, { hide: ["card"], omit: ["card"] }, { intentType: "" }, { timeoutSeconds: NaN }, { check: 1 }]) {
    assert.throws(() => new Till(wrong as any), (error) => error instanceof TypeError || error instanceof RangeError, inspect(wrong));
  }
  assert.throws(() => gate(TYPE as any, { intentType: TYPE }), TypeError);
  assert.throws(() => gate(() => 1, undefined as any), TypeError);
});

test("an unreachable server runs nothing", async () => {
  const nowhere = new Client({ url: "http://127.0.0.1:9", apiKey: "sgn_x", retryForSeconds: 0.1 });
  const till = new Till({ client: nowhere });
  await assert.rejects(till.refund({ order: "down" }), ConnectionFailed);
  const [env, cwd] = [{ ...process.env }, process.cwd()];
  try {
    for (const name of Object.keys(process.env)) if (name.startsWith("SIGNOFF_")) delete process.env[name];
    process.env["HOME"] = process.env["XDG_CONFIG_HOME"] = folder;
    process.chdir(folder);
    await assert.rejects(gate(({ order }: Refund) => till.paid.push([order]), { intentType: TYPE })({ order: "nowhere" }), NotConfigured);
  } finally {
    process.chdir(cwd);
    Object.assign(process.env, env);
  }
  assert.deepEqual(till.paid, []);
});

test("an aborted wait leaves the request to the next call", async () => {
  const till = new Till();
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = till.refund({ order: "aborted", amount: 1 }, { signal: controller.signal });
  await untilAsked("aborted");
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  assert.deepEqual(till.paid, []);
  approve();
  await till.refund({ order: "aborted", amount: 1 });
  assert.deepEqual([till.paid.length, requests("aborted")], [1, 1]);
  await assert.rejects(till.refund({ order: "never asked" }, { signal: controller.signal }), (error) => error === reason);
  await assertNeverAsked("never asked");
});

test("an abort after the approval was used runs nothing, and the handle can still run it", async () => {
  approve();
  const controller = new AbortController();
  const reason = new Error("enough");
  const stopping = new Client({
    url: live.url,
    apiKey: client.settings.apiKey,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!input.endsWith("/use")) return response;
      const body = await response.text();
      controller.abort(reason);
      return new Response(body, response);
    },
  });
  const till = new Till({ client: stopping });
  const pending = await till.refund.ask({ order: "late abort", amount: 1 });
  await assert.rejects(pending.wait({ signal: controller.signal }), (error) => {
    return error instanceof Error && error.name === "AbortError" && error.cause === reason && /approval of .* (was|may have been) used/.test(error.message) && /handle/.test(error.message);
  });
  assert.deepEqual(till.paid, []);
  assert.equal(await pending.wait(), "paid 1");
  assert.deepEqual([till.paid.length, requests("late abort")], [1, 1]);
});

describe("crashes", { concurrency: false }, () => {
  const program = (order: string, again: Again = "ask", crash = ""): ChildProcess => {
    const env = { ...process.env, SIGNOFF_URL: live.url, SIGNOFF_API_KEY: client.settings.apiKey };
    const args = [join(import.meta.dirname, "gate-program.js"), order, again, ...(crash ? [crash] : [])];
    return spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "ignore"] });
  };
  const ended = async (child: ChildProcess): Promise<unknown> => {
    const [code, signal] = await once(child, "exit");
    return code ?? signal;
  };

  test("kill -9 of client and server while waiting sends no second request", async () => {
    const order = join(folder, "waiting");
    const waiting = program(order);
    await untilAsked(order);
    waiting.kill("SIGKILL");
    assert.equal(await ended(waiting), "SIGKILL");
    await live.kill();
    await live.start();
    const next = program(order);
    await once(next.stdout!, "data"); // it found the request
    approve();
    assert.equal(await ended(next), 0);
    assert.equal(readFileSync(order, "utf8"), "ran\n");
    assert.equal(requests(order), 1);
  }, 120_000);

  test("kill -9 in the function spends the approval", async () => {
    approve();
    const order = join(folder, "crashed");
    assert.equal(await ended(program(order, "ask", "crash")), "SIGKILL");
    for (const [again, code, times, count] of [["refuse", 1, 1, 1], ["run", 0, 2, 1], ["ask", 0, 3, 2]] as const) {
      assert.equal(await ended(program(order, again)), code);
      assert.equal(readFileSync(order, "utf8"), "ran\n".repeat(times));
      assert.equal(requests(order), count);
    }
  }, 120_000);
});
