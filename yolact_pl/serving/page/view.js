// The canvas: a picture with masks, boxes and names, which can be zoomed, moved and clicked.

import { valueAt } from "./masks.js";
import { drawBox, drawClicks, drawCross, drawRectangle, paintMasks } from "./paint.js";

/** Pixels around a side of a box where it can be dragged. */
const GRIP = 7;
const MAX_ZOOM = 64;

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
    const worstFirst = [...this.items].reverse();
    paintMasks(overlay, this.result, worstFirst, this.selected, this.place);
    for (const item of worstFirst) {
      drawBox(overlay, item, item === this.selected, this.onCanvas(item.box), this.result.classNames);
    }
    this.drawMarks(overlay);
  }

  drawMarks(context) {
    const clicks = this.selected?.clicks ?? [];
    drawClicks(context, clicks.map(({ x, y, adds }) => [...this.toCanvas(x, y), adds]));
    if (this.rectangle) drawRectangle(context, this.onCanvas(this.rectangle));
    if (this.cursor) drawCross(context, this.toCanvas(...this.cursor));
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
