// A line over the last minutes on a canvas: no library, sharp on every screen, in the colours of the page.

const SPAN = 180; // seconds
const LEFT = 46;
const BOTTOM = 18;
const TOP = 8;

export class Plot {
  constructor(canvas, name) {
    this.canvas = canvas;
    this.name = name;
    this.points = []; // [seconds, value]
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(seconds, value) {
    this.points.push([seconds, value]);
    while (this.points.length && this.points[0][0] < seconds - SPAN) this.points.shift();
    this.draw();
    this.canvas.setAttribute("aria-label", this.words());
  }

  words() {
    const values = this.points.map((point) => point[1]);
    const now = Math.round(values.at(-1) ?? 0);
    const most = Math.round(Math.max(0, ...values));
    return `${this.name}: ${now.toLocaleString("en")} now, at most ${most.toLocaleString("en")} in the last 3 minutes`;
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const [line, grid, text] = ["--accent", "--line", "--muted"].map((name) => style.getPropertyValue(name).trim());
    const top = ceiling(Math.max(1, ...this.points.map((point) => point[1])));
    const now = this.points.at(-1)?.[0] ?? 0;
    const x = (seconds) => LEFT + (1 - (now - seconds) / SPAN) * (width - LEFT - 6);
    const y = (value) => TOP + (1 - value / top) * (height - TOP - BOTTOM);

    pen.font = `11px ${style.fontFamily}`;
    pen.fillStyle = text;
    pen.strokeStyle = grid;
    pen.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
      const height = Math.round(y(top * part)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT, height);
      pen.lineTo(width - 6, height);
      pen.stroke();
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(short(top * part), LEFT - 8, height);
    }
    pen.textBaseline = "alphabetic";
    for (const [ago, label, align] of [[SPAN, "3 min ago", "left"], [SPAN / 2, "90 s", "center"], [0, "now", "right"]]) {
      pen.textAlign = align;
      pen.fillText(label, x(now - ago), height - 4);
    }
    if (!this.points.length) return;

    pen.beginPath();
    for (const [seconds, value] of this.points) pen.lineTo(x(seconds), y(value));
    pen.strokeStyle = line;
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.stroke();
    pen.lineTo(x(now), y(0));
    pen.lineTo(x(this.points[0][0]), y(0));
    pen.globalAlpha = 0.13;
    pen.fillStyle = line;
    pen.fill();
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(x(now), y(this.points.at(-1)[1]), 3, 0, 2 * Math.PI);
    pen.fill();
  }
}

// The next round number: 1, 2 or 5 times a power of ten.
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

function short(value) {
  if (value >= 1e6) return `${value / 1e6}M`;
  if (value >= 1e4) return `${value / 1e3}k`;
  return value.toLocaleString("en");
}
