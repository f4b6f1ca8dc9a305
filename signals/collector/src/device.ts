// What a page can see of the device without asking for anything.

// Device is that of the score API, without what only a server can say.
export interface Device {
  timezone?: string;
  timezone_offset_min?: number;
  languages?: string[];
  screen?: { width?: number; height?: number; depth?: number; pixel_ratio?: number };
  cores?: number;
  memory_gib?: number;
  gpu?: string;
  fonts?: number;
  touch_points?: number;
  webdriver?: boolean;
  latitude?: number;
  longitude?: number;
}

// families are fonts that come with some systems, office suites and drawing programs
// and not with others; only how many of them are there is told.
const families = (
  "Agency FB,American Typewriter,Andale Mono,Arial,Arial Narrow,Avenir Next,Bahnschrift,Bookman Old Style,Calibri,Cambria," +
  "Candara,Cantarell,Century Gothic,Chalkboard,Comic Sans MS,Consolas,Constantia,Copperplate,Corbel,DejaVu Sans,Droid Sans," +
  "Futura,Gadugi,Garamond,Geneva,Georgia,Gill Sans,Helvetica Neue,Hoefler Text,Impact,Leelawadee UI,Liberation Sans," +
  "Lucida Console,Malgun Gothic,Menlo,Monaco,Myriad Pro,Noto Sans,Nyala,Optima,Palatino,PingFang SC,Roboto,Segoe Print," +
  "Segoe UI,SimSun,Sitka Text,Tahoma,Times New Roman,Trebuchet MS,Ubuntu,Verdana"
).split(",");

// read returns what f does, undefined where the browser cannot or will not.
function read<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch {
    return undefined;
  }
}

// text is cut to what any server takes.
function text(s: unknown): string | undefined {
  return (typeof s === "string" && s.replace(/[^ -~]/g, "").slice(0, 200)) || undefined;
}

function number(x: unknown): number | undefined {
  return typeof x === "number" && isFinite(x) && x >= 0 ? x : undefined;
}

// device takes some milliseconds, for the GPU and the fonts.
export function device(): Device {
  const n = navigator as Navigator & { deviceMemory?: number };
  return {
    timezone: read(() => text(Intl.DateTimeFormat().resolvedOptions().timeZone)),
    timezone_offset_min: 0 - new Date().getTimezoneOffset(), // east of UTC
    languages: (n.languages || []).map(text).filter((l): l is string => !!l).slice(0, 8),
    screen: { width: number(screen.width), height: number(screen.height), depth: number(screen.colorDepth), pixel_ratio: number(devicePixelRatio) },
    cores: number(n.hardwareConcurrency),
    memory_gib: number(n.deviceMemory),
    gpu: read(gpu),
    fonts: read(fonts),
    touch_points: number(n.maxTouchPoints),
    webdriver: typeof n.webdriver === "boolean" ? n.webdriver : undefined,
  };
}

function gpu(): string | undefined {
  const gl = document.createElement("canvas").getContext("webgl");
  if (!gl) return;
  let name = gl.getParameter(gl.RENDERER);
  if (name === "WebKit WebGL") {
    // Where the plain name is not hidden, asking for the extension is a warning.
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    name = info && gl.getParameter(info.UNMASKED_RENDERER_WEBGL);
  }
  const lose = gl.getExtension("WEBGL_lose_context");
  if (lose) lose.loseContext();
  return text(name);
}

// fonts counts those in which a line is as wide as in neither fallback.
function fonts(): number | undefined {
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas) return;
  const width = (family: string): number => {
    canvas.font = "72px " + family;
    return canvas.measureText("mmmmmmmmlliWQ@").width;
  };
  const fallbacks = ["monospace", "serif"], widths = fallbacks.map(width);
  return families.filter((f) => fallbacks.some((fallback, i) => width(`"${f}",${fallback}`) !== widths[i])).length;
}

// locate tells where the device is, to about a kilometre, where the person has
// already allowed this site to know: nobody is asked.
export function locate(found: (latitude: number, longitude: number) => void): void {
  const round = (degrees: number): number => +degrees.toFixed(2);
  read(() =>
    navigator.permissions.query({ name: "geolocation" }).then((p) => {
      if (p.state !== "granted") return;
      navigator.geolocation.getCurrentPosition(({ coords }) => found(round(coords.latitude), round(coords.longitude)), () => {}, { maximumAge: 600000 });
    }, () => {}),
  );
}
