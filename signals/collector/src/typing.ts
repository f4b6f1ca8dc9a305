// What is told of typing: the 78 statistics of signals/typing.Summarize, which is
// the reference. Names, limits and the order of every sum are as there, so that the
// numbers agree to the last bit of a float32.

// A Key is one key press: times in milliseconds since any one moment, and the key's
// place on the keyboard as reduce makes it.
export interface Key {
  press: number;
  release: number;
  code: string;
}

// letters are those of the eight fingers on QWERTY, left little finger first; the
// ninth is the space bar.
const fingers = ["qaz", "wsx", "edc", "rfvtgb", "yhnujm", "ik", "ol", "p", " "];

// hands gives the class of a pair of keys by the sides of its keys: left, right, space bar.
const sameKey = 10;
const hands = [[0, 2, 3], [4, 5, 7], [8, 9, sameKey]];

const pause = 1000; // a longer latency is a pause, of which only the share is told
const maxCorrect = 3000; // a later correction is of something else

const modifiers = ["SHIFT", "CAPS_LOCK", "CTRL", "ALT"];
const places: Record<string, string> = {
  Space: "SPACE", Backspace: "BKSP", CapsLock: "CAPS_LOCK", ShiftLeft: "SHIFT", ShiftRight: "SHIFT",
  ControlLeft: "CTRL", ControlRight: "CTRL", AltLeft: "ALT", AltRight: "ALT",
};

// reduce returns what a summary needs of KeyboardEvent.code: a letter, "SPACE",
// "BKSP" or a modifier; "" is any other key.
export function reduce(code: string): string {
  return /^Key[A-Z]$/.test(code) ? code[3].toLowerCase() : places[code] || "";
}

export const corrects = (k: Key): boolean => k.code === "BKSP";
export const modifies = (k: Key): boolean => modifiers.indexOf(k.code) >= 0;
const character = (k: Key): string => (k.code === "SPACE" ? " " : k.code.length === 1 ? k.code.toLowerCase() : "");
const finger = (c: string): number => (c ? fingers.findIndex((f) => f.indexOf(c) >= 0) : -1);
const between = (low: number, high: number, x: number): number => Math.min(Math.max(x, low), high);
const held = (k: Key): number => between(5, 500, k.release - k.press);
const signed = (x: number): number => Math.sign(x) * Math.log1p(Math.abs(x) / 50);

function pairClass(a: string, b: string): number {
  if (a === b) return sameKey;
  const fa = finger(a), fb = finger(b);
  return hands[fa >> 2][fb >> 2] + (fa === fb ? 1 : 0);
}

// Of nothing, mean, spread and the statistics made of them are NaN.
function mean(v: number[]): number {
  let sum = 0;
  for (const x of v) sum += x;
  return sum / v.length;
}

function spread(v: number[]): number {
  const m = mean(v);
  let sum = 0;
  for (const x of v) sum += (x - m) * (x - m);
  return Math.sqrt(sum / v.length);
}

const deviation = (v: number[]): number => (v.length < 3 ? NaN : spread(v));

function correlation([x, y]: number[][]): number {
  if (x.length < 5) return NaN;
  const mx = mean(x), my = mean(y);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] - mx) * (y[i] - my);
  const d = spread(x) * spread(y) * x.length;
  return d > 0 ? sum / d : NaN;
}

// quantiles are interpolated linearly between neighbours; NaN of nothing.
export function quantiles(v: number[], shares: number[]): number[] {
  const sorted = v.slice().sort((a, b) => a - b);
  return shares.map((p) => {
    if (!sorted.length) return NaN;
    const at = p * (sorted.length - 1), i = Math.floor(at);
    return sorted[i] + (at - i) * (sorted[Math.min(i + 1, sorted.length - 1)] - sorted[i]);
  });
}

const five = (v: number[], f: (x: number) => number): number[] => quantiles(v, [0.1, 0.25, 0.5, 0.75, 0.9]).map(f);

const lists = (n: number): number[][] => Array.from({ length: n }, () => []);

function join(v: number[][], x: number, y: number): void {
  v[0].push(x);
  v[1].push(y);
}

// paced measures what needs no finger: every key but the modifiers, and the one before.
function paced(keys: Key[]) {
  const holds: number[] = [], pauses: number[] = [];
  let flights: number[] = [], latencies: number[] = [], last: Key | undefined;
  for (const k of keys) {
    if (modifies(k)) continue;
    holds.push(held(k));
    if (last) {
      const latency = k.press - last.press;
      pauses.push(+(latency > pause));
      if (latency > 0 && latency <= pause) {
        latencies.push(latency);
        flights.push(between(-300, 1000, k.press - last.release));
      }
    }
    last = k;
  }
  if (latencies.length < 4) flights = latencies = [];
  return { holds, pauses, flights, latencies };
}

// paired measures each key by its finger, and with the one after it, modifiers too.
function paired(keys: Key[]) {
  const m = {
    flight: lists(11), over: lists(11), hold: lists(9),
    rolled: [] as number[], apart: [] as number[], overlap: [] as number[], correct: [] as number[],
    holdLatency: lists(2), holdHold: lists(2), rhythm: lists(2), three: 0, triples: 0,
  };
  keys.forEach((k, i) => {
    const a = character(k), f = finger(a), hold = Math.log(held(k));
    if (f >= 0) m.hold[f].push(hold);
    const next = keys[i + 1], then = keys[i + 2];
    if (!next) return;
    const latency = next.press - k.press, b = character(next);
    if (!corrects(k) && corrects(next) && latency < maxCorrect) m.correct.push(Math.log(Math.max(latency, 20)));
    if (f < 0 || finger(b) < 0 || (a === " " && b === " ") || latency <= 0 || latency > pause) return;
    const flight = between(-300, 1000, next.press - k.release), c = pairClass(a, b);
    m.flight[c].push(Math.asinh(flight / 60));
    m.over[c].push(+(flight < 0));
    if (flight < 0) {
      m.rolled.push(hold);
      m.overlap.push(-flight);
    } else m.apart.push(hold);
    join(m.holdLatency, hold, Math.log(latency));
    join(m.holdHold, hold, Math.log(held(next)));
    if (!then) return;
    m.triples++;
    m.three += +(k.release > then.press);
    const after = then.press - next.press;
    if (after > 0 && after <= pause) join(m.rhythm, Math.log(latency), Math.log(after));
  });
  return m;
}

// summarize returns the 78 statistics of keys in the order in which they were pressed,
// NaN where there was too little to measure.
export function summarize(keys: Key[]): number[] {
  const p = paced(keys), m = paired(keys);
  return [
    ...m.flight.map(mean), ...m.over.map(mean), ...m.flight.map(deviation),
    ...m.hold.map(mean), ...m.hold.map(deviation),
    ...five(p.holds, Math.log), ...five(p.flights, signed), ...five(p.latencies, Math.log),
    Math.log(spread(p.holds) + 3), Math.log(spread(p.flights) + 5),
    Math.sqrt(mean(p.flights.map((f) => +(f < 0)))), Math.sqrt(keys.filter(corrects).length / keys.length), Math.sqrt(mean(p.pauses)),
    correlation(m.holdLatency), correlation(m.holdHold), correlation(m.rhythm),
    mean(m.rolled) - mean(m.apart), Math.sqrt(m.three / Math.max(m.triples, 1)),
    Math.log(mean(m.overlap) + 5), mean(m.correct),
  ];
}

// ofPassword are the fields that name no finger: all that is told of a secret.
export const ofPassword = (field: number): boolean => field >= 51 && field <= 70;

// ofPresses are the fields that need no time of release: quantiles of latency, shares
// of corrections and pauses.
export const ofPresses = (field: number): boolean => (field >= 61 && field <= 65) || field === 69 || field === 70;

// short returns x with no more digits than its float32 needs, null where there is none.
export function short(x: number): number | null {
  if (!isFinite(x)) return null;
  for (let digits = 6; digits < 9; digits++) {
    const s = +x.toPrecision(digits);
    if (Math.fround(s) === Math.fround(x)) return s;
  }
  return +x.toPrecision(9);
}
