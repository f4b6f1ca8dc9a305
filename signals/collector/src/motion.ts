// Whether the device moves in the hand. Where a browser would have to ask, there is
// no answer.

import { Listen } from "./fields";

const fewest = 10; // measurements

export class Motion {
  private seen = 0;
  private moved = false;
  private before = "";

  constructor(listen: Listen) {
    listen("devicemotion", (e) => {
      const a = (e as DeviceMotionEvent).accelerationIncludingGravity;
      if (!a || a.x === null || this.moved) return;
      // Browsers round to a tenth of a metre by second squared: a hand never keeps so still.
      const now = [a.x, a.y, a.z].join();
      this.moved = this.seen > 0 && now !== this.before;
      this.before = now;
      this.seen++;
    });
  }

  // told is undefined where nothing was measured.
  told(): boolean | undefined {
    return this.moved || (this.seen >= fewest ? false : undefined);
  }
}
