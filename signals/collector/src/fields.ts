// How the fields of a form were filled: which keys at which times, and whether by
// hand at all. What a field holds is never read, but whether it holds anything.

import { Key, corrects, modifies, ofPassword, ofPresses, reduce, short, summarize } from "./typing";

// fewest keys that a rhythm is told of.
const fewest = 5;

// A field is measured this far; keys beyond are counted and not kept.
const most = 500;

// Field is what is known of one field since its text was begun.
interface Field {
  keys: Key[];
  count: number; // but the modifiers
  secret: boolean; // was ever a password: neither letters nor fingers are kept of it
  name: boolean; // the user's name, by its autocomplete
  presses: boolean; // when keys were released is not known: a keyboard on the glass
  pasted: boolean;
  filled: boolean;
}

// Keys are those of the score API's behaviour.
export interface Keys {
  count: number;
  rhythm?: (number | null)[];
  pasted: boolean;
  autofilled: boolean;
}

export class Fields {
  private readonly all = new Map<HTMLInputElement, Field>();
  private readonly down = new Map<string, Key>(); // by code, not yet released
  private entered = 0;

  // The form may be null: then every field of the page is measured.
  constructor(private readonly form: HTMLFormElement | null, listen: Listen) {
    for (const e of form ? Array.from(form.elements) : []) if (e instanceof HTMLInputElement) this.of(e);
    listen("keydown", (e) => this.press(e));
    listen("keyup", (e) => this.release(e));
    listen("input", (e) => this.input(e as InputEvent));
    listen("paste", (e) => this.paste(e));
    listen("drop", (e) => this.paste(e));
    listen("focusin", (e) => {
      if (this.mine(target(e))) this.entered++;
    });
  }

  // switches is how often the focus went to a field, but the first time.
  switches(): number {
    return Math.max(0, this.entered - 1);
  }

  // told is what leaves the page of all this; undefined where nothing was filled in.
  told(): Keys | undefined {
    let best: Field | undefined, pasted = false, autofilled = false;
    this.all.forEach((f, element) => {
      this.of(element); // it may be a password by now
      f.filled = f.filled || isFilled(element);
      pasted = pasted || f.pasted;
      autofilled = autofilled || f.filled;
      if (f.count && (!best || worth(f) > worth(best) || (worth(f) === worth(best) && f.count > best.count))) best = f;
    });
    if (!best) return pasted || autofilled ? { count: 0, pasted, autofilled } : undefined;
    return { count: best.count, rhythm: rhythm(best), pasted, autofilled };
  }

  private mine(element: unknown): element is HTMLInputElement {
    return element instanceof HTMLInputElement && (!this.form || element.form === this.form);
  }

  // of returns what is known of the element, undefined where it is not measured.
  private of(element: unknown): Field | undefined {
    if (!this.mine(element)) return;
    const hint = element.getAttribute("autocomplete") || "";
    if (!/^(text|email|tel|url|password)$/.test(element.type) || /one-time-code|cc-/.test(hint)) return;
    let f = this.all.get(element);
    if (!f) {
      f = { keys: [], count: 0, secret: false, name: /username|email/.test(hint), presses: false, pasted: false, filled: false };
      this.all.set(element, f);
    }
    // A page may show a password as text when asked to; it stays one.
    if (!f.secret && (element.type === "password" || /password/.test(hint))) {
      f.secret = true;
      f.keys.forEach(hide);
    }
    return f;
  }

  private press(e: Event): void {
    const f = this.of(target(e));
    // Browsers that fill in a field send what is no KeyboardEvent under the same name.
    if (!f || !(e instanceof KeyboardEvent) || !e.isTrusted || e.repeat || !types(e)) return;
    const k = { press: e.timeStamp, release: NaN, code: reduce(e.code) };
    const modifier = modifies(k);
    if (f.count && !modifier && !(target(e) as HTMLInputElement).value) {
      this.forget(f);
    }
    if (!modifier) f.count++;
    if (onGlass() || !e.code || e.code === "Unidentified") {
      f.presses = true;
      k.release = k.press;
      if (e.key === "Backspace") k.code = "BKSP";
    } else this.down.set(e.code, k);
    if (f.secret) hide(k);
    if (f.keys.length < most) f.keys.push(k);
  }

  private release(e: Event): void {
    if (!(e instanceof KeyboardEvent) || !e.isTrusted) return;
    const k = this.down.get(e.code);
    if (k) {
      k.release = e.timeStamp;
      this.down.delete(e.code);
    }
  }

  private input(e: InputEvent): void {
    const f = this.of(target(e));
    if (!f) return;
    const kind = e.inputType || "";
    // Programs and browsers fill in at a stroke, and say no kind. What a page does to
    // a text while it is typed (groups its digits, say) is no filling in.
    if ((!e.isTrusted || !kind || kind === "insertReplacementText") && !f.count) f.filled = true;
    // A keyboard on the glass may not say which key it was.
    const last = f.keys[f.keys.length - 1];
    if (f.presses && last && /^deleteContentBackward/.test(kind)) last.code = "BKSP";
  }

  private paste(e: Event): void {
    const f = this.of(target(e));
    if (f && e.isTrusted) f.pasted = true;
  }

  // forget begins a text anew: the field was emptied.
  private forget(f: Field): void {
    f.keys = f.keys.filter((k) => modifies(k) && isNaN(k.release));
    f.count = 0;
    f.presses = f.pasted = f.filled = false;
  }
}

// Listen adds a listener of the whole page's events until the measuring ends.
export type Listen = (type: string, listener: (e: Event) => void) => void;

const target = (e: Event): unknown => e.composedPath()[0];

// types reports whether the key belongs to a text: a character, a correction or a
// modifier, and no command.
function types(e: KeyboardEvent): boolean {
  if ((e.ctrlKey || e.metaKey) && !/^(Control|Alt)/.test(e.key) && !e.getModifierState("AltGraph")) return false;
  return /^(.|Dead|Process|Unidentified|Backspace|Delete|Shift|CapsLock|Control|Alt|AltGraph)$/u.test(e.key);
}

// hide takes from a key which it was, corrections and modifiers apart.
function hide(k: Key): void {
  if (!corrects(k) && !modifies(k)) k.code = "";
}

// onGlass reports whether keys are pictures on a screen, which are all let go as
// soon as they are sent.
const onGlass = (): boolean => navigator.maxTouchPoints > 0 && !matchMedia("(any-pointer: fine)").matches;

// isFilled asks the browser, which may not know the question.
function isFilled(element: HTMLInputElement): boolean {
  return [":autofill", ":-webkit-autofill"].some((selector) => {
    try {
      return element.matches(selector);
    } catch {
      return false;
    }
  });
}

// worth orders fields by how much a rhythm of theirs says: typed by hand and long
// enough, before all others; a name before any text, and any text before a secret.
function worth(f: Field): number {
  const whole = f.count >= fewest && !f.pasted && !f.filled;
  return (whole ? 4 : 0) + (f.secret ? 0 : f.name ? 2 : 1);
}

// rhythm leaves out keys that were never seen released.
function rhythm(f: Field): (number | null)[] | undefined {
  const keys = f.keys.filter((k) => k.release === k.release);
  if (keys.filter((k) => !modifies(k)).length < fewest || f.pasted || f.filled) return;
  return summarize(keys).map((x, i) => ((f.secret && !ofPassword(i)) || (f.presses && !ofPresses(i)) ? null : short(x)));
}
