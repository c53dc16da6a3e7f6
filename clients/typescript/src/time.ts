/** Seconds: deadlines, pauses, back-off. */
import { RequestRefused } from "./errors.js";

export const FIRST_PAUSE = 0.1;
const LONGEST_PAUSE = 5;
// The limit holds even for what a proxy returns: a caller that can wait for days polls every few minutes.
const LONGEST_ASKED = 300;
// A longer JavaScript timer would fire immediately.
const LONGEST_TIMER = 2 ** 31 - 1;

export function now(): number {
  return performance.now() / 1000;
}

/** TypeError unless it is a number of seconds, or infinity. */
export function checkSeconds(name: string, seconds: unknown): number {
  if (typeof seconds !== "number" || Number.isNaN(seconds)) {
    throw new TypeError(`${name} is a number of seconds, not ${String(seconds)}`);
  }
  return seconds;
}

/** A deadline on the monotonic clock; there is none if `seconds` is undefined. */
export class Deadline {
  readonly #at: number;

  constructor(seconds: number | undefined) {
    this.#at = seconds === undefined ? Infinity : now() + checkSeconds("timeoutSeconds", seconds);
  }

  /** Seconds left: zero or less once it has passed. */
  get left(): number {
    return this.#at - now();
  }
}

/** Pauses with full jitter, up to a limit that doubles, in addition to what the server asked for. */
export class Backoff {
  #bound = FIRST_PAUSE;

  /** Seconds to pause after this failure, or after no response. */
  after(failure?: unknown): number {
    const asked = failure instanceof RequestRefused ? (failure.retryAfterSeconds ?? 0) : 0;
    const pause = Math.min(asked, LONGEST_ASKED) + Math.random() * this.#bound;
    this.#bound = Math.min(this.#bound * 2, LONGEST_PAUSE);
    return pause;
  }

  reset(): void {
    this.#bound = FIRST_PAUSE;
  }
}

/**
 * A timer of any length; the returned function cancels it. It never fires early: timers count whole milliseconds from
 * when the event loop last looked at the clock, and a wait that ends before its deadline would send one more request.
 */
export function after(seconds: number, what: () => void): () => void {
  if (seconds === Infinity) return () => {};
  const end = now() + seconds;
  let timer: ReturnType<typeof setTimeout>;
  const start = (): void => {
    const left = Math.ceil(Math.max(0, end - now()) * 1000);
    timer = setTimeout(() => (now() < end ? start() : what()), Math.min(left, LONGEST_TIMER));
  };
  start();
  return () => clearTimeout(timer);
}

const LISTENING: WeakMap<AbortSignal, Set<() => void>> = new WeakMap();

/**
 * Call `what` when the signal is aborted; the returned function undoes that. A signal has one listener, no matter how
 * many calls share it, because Node warns about more than ten.
 */
export function onAbort(signal: AbortSignal, what: () => void): () => void {
  let calls = LISTENING.get(signal);
  if (calls === undefined) {
    const all = (calls = new Set<() => void>());
    LISTENING.set(signal, all);
    signal.addEventListener("abort", () => [...all].forEach((call) => call()), { once: true });
  }
  const mine = calls;
  mine.add(what);
  return () => void mine.delete(what);
}

/** Pause; throws the signal's reason as soon as it is aborted. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const deaf = signal && onAbort(signal, () => {
      cancel();
      deaf?.();
      reject(signal.reason);
    });
    const cancel = after(seconds, () => {
      deaf?.();
      resolve();
    });
  });
}
