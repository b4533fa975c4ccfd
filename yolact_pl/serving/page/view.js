// The canvas: a picture with masks, boxes and names, which can be zoomed, moved and clicked.

import { css, indexColor, textColor } from "./colors.js";
import { resample, screenGrid, softMask, valueAt } from "./masks.js";

const ALPHA = 0.45;
const OUTLINE = 1.3;
/** Half its width in pixels of the canvas. */
const GRIP = 7;
const MAX_ZOOM = 64;
const CROSS = 9;

export class View {
  /**
   * @param stage element around two canvases, of the picture and of what is drawn on it
   * @param on {select(item), click(x, y, adds), draw(box), edit(item)}: what a person does
   */
  constructor(stage, on) {
    this.stage = stage;
    [this.base, this.overlay] = stage.querySelectorAll("canvas");
    this.on = on;
    this.picture = null;
    this.result = null;
    this.items = [];
    this.selected = null;
    this.mode = "select";
    this.adds = true;
    this.cursor = null;
    this.rectangle = null;
    this.place = { left: 0, top: 0, zoom: 1 };
    this.pending = false;
    new ResizeObserver(() => this.fit()).observe(stage);
    this.listen();
  }

  /** Show another picture: anything that can be drawn, of the size that its result has. */
  show(picture, result, { keepPlace = false } = {}) {
    const sameSize = this.result?.width === result.width && this.result?.height === result.height;
    this.picture = picture;
    this.result = result;
    this.cursor = null;
    if (keepPlace && sameSize) this.redraw();
    else this.fit();
  }

  fit() {
    const ratio = devicePixelRatio;
    for (const canvas of [this.base, this.overlay]) {
      canvas.width = Math.max(Math.round(this.stage.clientWidth * ratio), 1);
      canvas.height = Math.max(Math.round(this.stage.clientHeight * ratio), 1);
    }
    if (this.result) {
      const { width, height } = this.result;
      const zoom = Math.min(this.base.width / width, this.base.height / height);
      this.place = { zoom, left: (this.base.width - width * zoom) / 2, top: (this.base.height - height * zoom) / 2 };
    }
    this.redraw();
  }

  /** Zoom around a point of the canvas, or its centre. */
  zoom(factor, x = this.base.width / 2, y = this.base.height / 2) {
    const zoom = Math.min(Math.max(this.place.zoom * factor, 0.02), MAX_ZOOM);
    const real = zoom / this.place.zoom;
    this.place = { zoom, left: x - (x - this.place.left) * real, top: y - (y - this.place.top) * real };
    this.redraw();
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  draw() {
    const { left, top, zoom } = this.place;
    const base = this.base.getContext("2d");
    const overlay = this.overlay.getContext("2d");
    base.clearRect(0, 0, this.base.width, this.base.height);
    overlay.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (!this.result) return;
    base.imageSmoothingEnabled = zoom < 4;
    base.imageSmoothingQuality = "high";
    base.drawImage(this.picture, left, top, this.result.width * zoom, this.result.height * zoom);
    this.drawMasks(overlay);
    for (const item of [...this.items].reverse()) this.drawBox(overlay, item);
    this.drawMarks(overlay);
  }

  drawMasks(context) {
    const size = { width: this.overlay.width, height: this.overlay.height };
    const pixels = context.createImageData(size.width, size.height);
    const grid = screenGrid(this.result, { ...this.place, ...size });
    for (const item of [...this.items].reverse()) {
      const mask = resample(this.result, softMask(this.result, item), grid);
      paint(pixels, mask, indexColor(item.label), item === this.selected);
    }
    context.putImageData(pixels, 0, 0);
  }

  drawBox(context, item) {
    const [x1, y1, x2, y2] = this.onCanvas(item.box);
    const color = indexColor(item.label);
    const chosen = item === this.selected;
    const ratio = devicePixelRatio;
    context.strokeStyle = css(color);
    context.lineWidth = (chosen ? 2.5 : 1) * ratio;
    context.setLineDash(item.corrected ? [6 * ratio, 3 * ratio] : []);
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.setLineDash([]);
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    const text = label(item, this.result.classNames);
    const width = context.measureText(text).width + 8 * ratio;
    const height = 17 * ratio;
    const x = Math.min(Math.max(x1, 0), Math.max(this.overlay.width - width, 0));
    const y = y1 >= height ? y1 - height : Math.max(y1, 0);
    context.fillStyle = css(color);
    context.fillRect(x, y, width, height);
    context.fillStyle = textColor(color);
    context.fillText(text, x + 4 * ratio, y + 12.5 * ratio);
  }

  drawMarks(context) {
    const ratio = devicePixelRatio;
    for (const { x, y, adds } of this.selected?.clicks ?? []) {
      const [column, row] = this.toCanvas(x, y);
      context.beginPath();
      context.arc(column, row, 5 * ratio, 0, 2 * Math.PI);
      context.fillStyle = adds ? "#1a9850" : "#d73027";
      context.fill();
      context.lineWidth = 1.5 * ratio;
      context.strokeStyle = "#fff";
      context.stroke();
    }
    if (this.rectangle) {
      const [x1, y1, x2, y2] = this.onCanvas(this.rectangle);
      context.strokeStyle = "#fff";
      context.lineWidth = 1.5 * ratio;
      context.setLineDash([5 * ratio, 4 * ratio]);
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      context.setLineDash([]);
    }
    if (this.cursor) {
      const [x, y] = this.toCanvas(...this.cursor);
      const reach = CROSS * ratio;
      for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
        context.strokeStyle = color;
        context.lineWidth = width * ratio;
        context.beginPath();
        context.moveTo(x - reach, y);
        context.lineTo(x + reach, y);
        context.moveTo(x, y - reach);
        context.lineTo(x, y + reach);
        context.stroke();
      }
    }
  }

  toCanvas(x, y) {
    return [this.place.left + x * this.place.zoom, this.place.top + y * this.place.zoom];
  }

  onCanvas([x1, y1, x2, y2]) {
    return [...this.toCanvas(x1, y1), ...this.toCanvas(x2, y2)];
  }

  /** A pointer's place on the canvas, and in the picture. */
  at(event) {
    const frame = this.overlay.getBoundingClientRect();
    const column = (event.clientX - frame.left) * devicePixelRatio;
    const row = (event.clientY - frame.top) * devicePixelRatio;
    return { column, row, x: (column - this.place.left) / this.place.zoom, y: (row - this.place.top) / this.place.zoom };
  }

  listen() {
    let drag = null;
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault());
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { column, row } = this.at(event);
      this.zoom(2 ** (-event.deltaY / 300), column, row);
    }, { passive: false });
    this.overlay.addEventListener("pointerdown", (event) => {
      if (!this.result) return;
      this.cursor = null;
      this.overlay.setPointerCapture(event.pointerId);
      drag = { ...this.start(this.at(event), event), button: event.button };
    });
    this.overlay.addEventListener("pointermove", (event) => {
      if (!this.result) return;
      const place = this.at(event);
      if (drag) this.move(drag, place);
      else this.overlay.style.cursor = this.sidesAt(place).length ? "move" : this.mode === "select" ? "" : "crosshair";
    });
    this.overlay.addEventListener("pointerup", (event) => {
      if (drag) this.finish(drag, this.at(event), event);
      drag = null;
    });
    this.overlay.addEventListener("pointercancel", () => {
      drag = this.rectangle = null;
      this.redraw();
    });
    this.stage.addEventListener("keydown", (event) => this.key(event));
  }

  start(place, event) {
    const sides = event.button === 0 ? this.sidesAt(place) : [];
    if (sides.length) return { kind: "side", sides, place };
    if (this.mode === "box" && event.button === 0) return { kind: "box", place };
    return { kind: "pan", place, from: { ...this.place }, far: false };
  }

  move(drag, place) {
    const { result } = this;
    if (drag.kind === "side") {
      const limits = [result.width, result.height, result.width, result.height];
      for (const side of drag.sides) {
        const value = side % 2 ? place.y : place.x;
        const opposite = this.selected.box[(side + 2) % 4];
        const inside = Math.min(Math.max(value, 0), limits[side]);
        this.selected.box[side] = side < 2 ? Math.min(inside, opposite - 1) : Math.max(inside, opposite + 1);
      }
      this.on.edit(this.selected);
    } else if (drag.kind === "box") {
      this.rectangle = this.between(drag.place, place);
    } else {
      const [across, down] = [place.column - drag.place.column, place.row - drag.place.row];
      drag.far ||= Math.hypot(across, down) > 4 * devicePixelRatio;
      if (drag.far) this.place = { ...this.place, left: drag.from.left + across, top: drag.from.top + down };
    }
    this.redraw();
  }

  finish(drag, place, event) {
    if (drag.kind === "box") {
      const box = this.between(drag.place, place);
      this.rectangle = null;
      if (box[2] - box[0] >= 2 && box[3] - box[1] >= 2) this.on.draw(box);
    } else if (drag.kind === "pan" && !drag.far) {
      this.choose(place.x, place.y, drag.button === 2 || event.shiftKey ? false : this.adds);
    }
    this.redraw();
  }

  /** A click at a point of the picture: it selects, or adds to the selected object's mask or removes from it. */
  choose(x, y, adds) {
    const { width, height } = this.result;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    if (this.mode === "correct" && this.selected) this.on.click(x, y, adds);
    else this.on.select(this.itemAt(x, y));
  }

  /** The object at a point, of several the one with the highest value there. */
  itemAt(x, y) {
    let best = null;
    let most = 0.5;
    for (const item of this.items) {
      const value = valueAt(this.result, item, x, y);
      if (value > most) [best, most] = [item, value];
    }
    return best;
  }

  /** Sides of the selected box near a point: 0 left, 1 top, 2 right, 3 bottom. */
  sidesAt({ column, row }) {
    if (this.mode !== "correct" || !this.selected) return [];
    const [x1, y1, x2, y2] = this.onCanvas(this.selected.box);
    const reach = GRIP * devicePixelRatio;
    const along = column > x1 - reach && column < x2 + reach && row > y1 - reach && row < y2 + reach;
    if (!along) return [];
    return [x1 - column, y1 - row, x2 - column, y2 - row].flatMap((away, side) => (Math.abs(away) < reach ? [side] : []));
  }

  between(one, other) {
    const fit = (value, limit) => Math.min(Math.max(value, 0), limit);
    const xs = [one.x, other.x].map((x) => fit(x, this.result.width)).sort((a, b) => a - b);
    const ys = [one.y, other.y].map((y) => fit(y, this.result.height)).sort((a, b) => a - b);
    return [xs[0], ys[0], xs[1], ys[1]];
  }

  /** Arrows move a cross, Enter clicks there, Shift+Enter removes. */
  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!this.result) return;
    const { width, height } = this.result;
    if (event.key in moves) {
      const step = event.shiftKey ? 1 : Math.max(Math.min(width, height) / 40, 1);
      const [x, y] = this.cursor ?? [width / 2, height / 2];
      const [across, down] = moves[event.key];
      const inside = (value, limit) => Math.min(Math.max(value, 0.5), limit - 0.5);
      this.cursor = [inside(x + across * step, width), inside(y + down * step, height)];
    } else if (event.key === "Enter" && this.cursor) {
      this.choose(...this.cursor, event.shiftKey ? false : this.adds);
    } else return;
    event.preventDefault();
    this.redraw();
  }
}

/** The words beside an object. */
export function label(item, classNames) {
  return `${classNames[item.label]} ${item.drawn ? "drawn" : item.score.toFixed(2)}`;
}

/** Blend a mask's area and outline over what is painted already. */
function paint({ data, width }, mask, [red, green, blue], chosen) {
  const { values } = mask;
  const outline = (chosen ? 2 : 1) * OUTLINE * devicePixelRatio;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      const i = y * mask.width + x;
      const value = values[i];
      if (value <= 0) continue;
      // How far the outline is, in pixels: its value is 0.5, and it changes by the slope.
      const across = Math.abs((values[i + (x + 1 < mask.width ? 1 : -1)] ?? value) - value);
      const down = Math.abs((values[i + (y + 1 < mask.height ? 1 : -1) * mask.width] ?? value) - value);
      const away = (value - 0.5) / Math.max(Math.hypot(across, down), 1e-4);
      const area = ALPHA * clamp(away + 0.5);
      const line = clamp(outline - Math.abs(away) + 0.5);
      const alpha = Math.max(area, 0.95 * line);
      if (alpha <= 0) continue;
      const at = 4 * ((mask.y + y) * width + mask.x + x);
      const under = (data[at + 3] / 255) * (1 - alpha);
      const total = alpha + under;
      data[at] = (red * alpha + data[at] * under) / total;
      data[at + 1] = (green * alpha + data[at + 1] * under) / total;
      data[at + 2] = (blue * alpha + data[at + 2] * under) / total;
      data[at + 3] = 255 * total;
    }
  }
}

function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}
