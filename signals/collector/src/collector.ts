// What a login page embeds: docs/collector.md. Nothing is measured before start is
// called with consent, nothing is sent or stored, and no fault in here may keep a
// person from logging in.

import { Device, device, locate } from "./device";
import { Fields, Keys, Listen } from "./fields";
import { Motion } from "./motion";
import { Pointer, Told } from "./pointer";

// version is that of what is measured and how: collector.Version.
export const version = "1.0";

export interface Options {
  consent: boolean; // the person agreed to be measured
  form?: HTMLFormElement | null; // default: the form of the first password, else the first form, else the whole page
  field?: string; // name of the form's field that is to carry what was measured, as JSON
  position?: boolean; // tell the position too, where the person has already allowed the site to know it
}

// Collected are members of the same names of a score request.
export interface Collected {
  device: Device;
  behaviour: {
    keys?: Keys;
    pointer: Told;
    form: { dwell_ms: number; focus_switches: number };
    motion?: boolean;
    collector: string;
  };
}

export interface Collector {
  collect(): Collected | null; // so far; null after stop
  stop(): void; // and forget all
}

let current: Collector | undefined;

// start measures until stop, or the next start, which measures anew: call it again
// for another attempt on the same page. Without consent it does nothing and returns null.
export function start(options: Options): Collector | null {
  if (!options || options.consent !== true) return null;
  if (current) current.stop();
  return (current = measure(options));
}

function measure(options: Options): Collector {
  let attempt: Attempt | null = new Attempt(options);
  const again = (e: PageTransitionEvent): void => {
    if (!e.persisted || !attempt) return;
    attempt.end(); // a page that comes back as it was left
    attempt = new Attempt(options);
  };
  addEventListener("pageshow", again);
  return {
    collect: () => attempt && attempt.collected(),
    stop() {
      removeEventListener("pageshow", again);
      if (attempt) attempt.end();
      attempt = null;
    },
  };
}

// Attempt is what is measured of one attempt.
class Attempt {
  private readonly began = performance.now();
  private readonly undo: (() => void)[] = [];
  private readonly fields: Fields;
  private readonly pointer: Pointer;
  private readonly motion: Motion;
  private seen?: Device;
  private place: Device = {};

  constructor(options: Options) {
    const form = options.form || formOf(document), { field } = options;
    const listen: Listen = (type, f) => this.listen(window, type, f);
    this.fields = new Fields(form, listen);
    this.pointer = new Pointer(listen);
    this.motion = new Motion(listen);
    const later = setTimeout(() => this.device(), 300); // not while the page is drawn, and not when the form is sent
    this.undo.push(() => clearTimeout(later));
    if (options.position) locate((latitude, longitude) => (this.place = { latitude, longitude }));
    if (form && field) {
      this.listen(form, "formdata", (e) => (e as FormDataEvent).formData.set(field, JSON.stringify(this.collected())));
    }
  }

  collected(): Collected {
    return {
      device: { ...this.device(), ...this.place },
      behaviour: {
        keys: this.fields.told(),
        pointer: this.pointer.told(),
        form: { dwell_ms: Math.round(performance.now() - this.began), focus_switches: this.fields.switches() },
        motion: this.motion.told(),
        collector: version,
      },
    };
  }

  end(): void {
    this.undo.forEach((f) => f());
  }

  private device(): Device {
    return (this.seen = this.seen || device());
  }

  private listen(on: EventTarget, type: string, f: (e: Event) => void): void {
    const safe = (e: Event): void => {
      try {
        f(e);
      } catch {
        // What could not be measured is missing.
      }
    };
    on.addEventListener(type, safe, { capture: true, passive: true });
    this.undo.push(() => on.removeEventListener(type, safe, { capture: true }));
  }
}

function formOf(page: Document): HTMLFormElement | null {
  const password = page.querySelector<HTMLInputElement>("input[type=password]");
  return (password && password.form) || page.forms[0] || null;
}

// A page without a script of its own says the same in attributes of the script's element.
const own = typeof document === "undefined" ? null : document.currentScript;
if (own && own.dataset.consent === "true") {
  start({ consent: true, field: own.dataset.field, position: own.dataset.position === "true" });
}
