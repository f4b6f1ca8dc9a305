// How the pointer moved. Touches are clicks and no movements.

import { Listen } from "./fields";
import { quantiles } from "./typing";

const resting = 200; // ms without a movement end a stroke
const stretch = 8; // px over which a direction is taken: shorter ones are the grid of the screen
const most = 5000; // movements of which the speed is kept
const fewest = 5;

// Told is the pointer of the score API's behaviour.
export interface Told {
  moves: number;
  distance_px: number;
  speed_px_s?: number[];
  straightness?: number;
  clicks: number;
  right_angles?: number;
  small_angles?: number;
}

interface Point {
  x: number;
  y: number;
  t: number;
}

export class Pointer {
  private moves = 0;
  private clicks = 0;
  private path = 0; // px
  private chords = 0; // px, from end to end of the strokes that are over
  private speeds: number[] = [];
  private turns = 0;
  private right = 0;
  private small = 0;
  private seen?: Point;
  private first?: Point; // of the stroke
  private last?: Point;
  private corner?: Point; // where the direction was last taken
  private heading = NaN; // radians

  constructor(listen: Listen) {
    listen("pointermove", (e) => this.move(e as PointerEvent));
    listen("pointerdown", (e) => {
      if (!e.isTrusted) return;
      this.clicks++;
      this.end();
    });
  }

  told(): Told {
    const chords = this.chords + distance(this.first, this.last);
    const told: Told = { moves: this.moves, distance_px: Math.round(this.path), clicks: this.clicks };
    if (this.speeds.length >= fewest) told.speed_px_s = quantiles(this.speeds, [0.1, 0.5, 0.9]).map(Math.round);
    if (this.path > 0 && this.moves >= fewest) told.straightness = share(chords, this.path);
    if (this.turns >= fewest) {
      told.right_angles = share(this.right, this.turns);
      told.small_angles = share(this.small, this.turns);
    }
    return told;
  }

  private move(e: PointerEvent): void {
    if (!e.isTrusted || e.pointerType === "touch") return;
    const p = { x: e.screenX, y: e.screenY, t: e.timeStamp };
    // Browsers repeat the pointer's place when the page under it changes.
    if (this.seen && distance(this.seen, p) === 0) return;
    this.seen = p;
    this.moves++;
    if (this.last && p.t - this.last.t > resting) this.end();
    if (!this.last) {
      this.first = this.last = this.corner = p;
      return;
    }
    const d = distance(this.last, p), ms = p.t - this.last.t;
    this.path += d;
    if (ms > 0 && this.speeds.length < most) this.speeds.push((1000 * d) / ms);
    this.last = p;
    this.turn(p);
  }

  private turn(p: Point): void {
    const from = this.corner;
    if (!from || distance(from, p) < stretch) return;
    const heading = Math.atan2(p.y - from.y, p.x - from.x);
    if (this.heading === this.heading) {
      let degrees = (Math.abs(heading - this.heading) * 180) / Math.PI;
      if (degrees > 180) degrees = 360 - degrees;
      this.turns++;
      this.right += +(degrees >= 75 && degrees <= 105);
      this.small += +(degrees < 15);
    }
    this.heading = heading;
    this.corner = p;
  }

  private end(): void {
    this.chords += distance(this.first, this.last);
    this.first = this.last = this.corner = undefined;
    this.heading = NaN;
  }
}

const distance = (a?: Point, b?: Point): number => (a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0);
const share = (part: number, whole: number): number => Math.min(1, +(part / whole).toFixed(3));
